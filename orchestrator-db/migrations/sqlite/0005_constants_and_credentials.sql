CREATE TABLE constants (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    changed_by TEXT
);

-- `password` is ciphertext of the form v1:<key id>:<base64>.
CREATE TABLE credentials (
    name TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    password TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    changed_by TEXT
);
