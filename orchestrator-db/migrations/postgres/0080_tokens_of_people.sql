-- Tokens that people got by signing in at the command line: whose they are, and from where.
ALTER TABLE tokens ADD COLUMN user_id UUID REFERENCES users (id);
ALTER TABLE tokens ADD COLUMN address TEXT;
ALTER TABLE tokens ADD COLUMN user_agent TEXT;
CREATE INDEX tokens_user ON tokens (user_id, id) WHERE user_id IS NOT NULL;
