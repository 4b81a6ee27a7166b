CREATE TABLE IF NOT EXISTS service_requests (id INTEGER PRIMARY KEY, sr_number TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
  customer TEXT NOT NULL, module TEXT NOT NULL, testing TEXT NOT NULL, metadata TEXT NOT NULL DEFAULT '{}',
  estimated_completion TEXT, created_by TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS service_requests_changed ON service_requests (updated_at);
CREATE INDEX IF NOT EXISTS service_requests_status ON service_requests (status);
CREATE TABLE IF NOT EXISTS executions (execution_id INTEGER PRIMARY KEY, protocol_id TEXT NOT NULL, sr_id INTEGER NOT NULL,
  module_id TEXT NOT NULL, operator_id INTEGER NOT NULL, equipment TEXT NOT NULL, parameters TEXT NOT NULL DEFAULT '{}',
  status TEXT NOT NULL, progress REAL NOT NULL DEFAULT 0, qc_status TEXT, hours REAL NOT NULL, started_at TEXT,
  completed_at TEXT, updated_at TEXT NOT NULL, results TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS executions_request ON executions (sr_id, status);
CREATE INDEX IF NOT EXISTS executions_changed ON executions (updated_at);
CREATE INDEX IF NOT EXISTS executions_completed ON executions (completed_at);
CREATE TABLE IF NOT EXISTS status_changes (number INTEGER PRIMARY KEY, sr_id INTEGER NOT NULL, status TEXT NOT NULL,
  principal TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS withdrawals (sr_id INTEGER NOT NULL, protocol_id TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (sr_id, protocol_id));
CREATE TABLE IF NOT EXISTS audit_events (id INTEGER PRIMARY KEY, username TEXT NOT NULL, action TEXT NOT NULL,
  resource_type TEXT NOT NULL, resource_id TEXT NOT NULL, old_value TEXT, new_value TEXT, ip_address TEXT, session_id TEXT,
  timestamp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL,
  full_name TEXT NOT NULL, role TEXT NOT NULL, active INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reports (report_id INTEGER PRIMARY KEY, sr_id INTEGER NOT NULL, report_type TEXT NOT NULL,
  format TEXT NOT NULL, generated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks (id INTEGER PRIMARY KEY, url TEXT NOT NULL, events TEXT NOT NULL, secret TEXT NOT NULL,
  created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS integrations (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL);
