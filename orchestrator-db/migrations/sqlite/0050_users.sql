-- People who sign in. name_key is the name without its case; the password is an Argon2id hash in PHC form.
CREATE TABLE users (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    display_name TEXT,
    role TEXT NOT NULL,
    password_hash TEXT,
    password_changed_at TEXT,
    disabled_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT,
    changed_at TEXT NOT NULL,
    changed_by TEXT,
    last_sign_in_at TEXT
);

-- What browsers got when their users signed in; only the SHA-256 of the cookie's secret is stored.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    method TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id);

-- Links that sign a user in once; only the SHA-256 of their secret is stored.
CREATE TABLE sign_in_links (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at TEXT NOT NULL,
    created_by TEXT,
    expires_at TEXT NOT NULL,
    used_at TEXT
);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id, id);
