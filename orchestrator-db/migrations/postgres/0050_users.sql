-- People who sign in. name_key is the name without its case; the password is an Argon2id hash in PHC form.
CREATE TABLE users (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    display_name TEXT,
    role TEXT NOT NULL,
    password_hash TEXT,
    password_changed_at TIMESTAMPTZ,
    disabled_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT,
    changed_at TIMESTAMPTZ NOT NULL,
    changed_by TEXT,
    last_sign_in_at TIMESTAMPTZ
);

-- What browsers got when their users signed in; only the SHA-256 of the cookie's secret is stored.
CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    user_id UUID NOT NULL REFERENCES users (id),
    method TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id);

-- Links that sign a user in once; only the SHA-256 of their secret is stored.
CREATE TABLE sign_in_links (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    user_id UUID NOT NULL REFERENCES users (id),
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id, id);
