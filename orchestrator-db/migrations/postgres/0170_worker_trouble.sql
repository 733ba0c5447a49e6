-- Why a worker's machine can start nothing for now, in its agent's words; it is given nothing meanwhile.
ALTER TABLE workers ADD COLUMN trouble TEXT;
