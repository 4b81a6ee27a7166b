CREATE TABLE IF NOT EXISTS samples (number INTEGER PRIMARY KEY, external_id TEXT NOT NULL, project_id TEXT NOT NULL,
  sample_type TEXT NOT NULL, customer TEXT NOT NULL, metadata TEXT NOT NULL, status TEXT NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS samples_key ON samples (project_id, external_id);
CREATE INDEX IF NOT EXISTS samples_external ON samples (external_id);
CREATE INDEX IF NOT EXISTS samples_status ON samples (status);
CREATE TABLE IF NOT EXISTS results (number INTEGER PRIMARY KEY, sample INTEGER NOT NULL, external_id TEXT NOT NULL,
  revision INTEGER NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS results_key ON results (external_id, revision);
CREATE INDEX IF NOT EXISTS results_sample ON results (sample);
CREATE TABLE IF NOT EXISTS status_changes (number INTEGER PRIMARY KEY, sample INTEGER NOT NULL, status TEXT NOT NULL,
  notes TEXT, principal TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS certificates (number INTEGER PRIMARY KEY, sample INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL);
