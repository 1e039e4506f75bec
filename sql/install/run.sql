-- What rules did: one row for each run, and what runs leave besides messages. Writers only insert here.
-- No CHECK: PostgreSQL would read its text anew for each row.

CREATE TABLE automation.run (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	rule_id integer NOT NULL,
	version integer NOT NULL,
	entity_id integer NOT NULL,
	key text NOT NULL,
	event text NOT NULL,
	changes jsonb,
	status text NOT NULL,
	reason text,
	sqlstate text,
	steps jsonb NOT NULL DEFAULT '[]',
	depth smallint NOT NULL DEFAULT 0,
	cause bigint,
	actor text NOT NULL
);
-- No index on anything else: the writer pays for each.
CREATE INDEX run_of_row ON automation.run (entity_id, key);
COMMENT ON TABLE automation.run IS 'One row for each rule that fired for one row, written with the change that fired it; never updated';
COMMENT ON COLUMN automation.run.id IS 'Number of the run';
COMMENT ON COLUMN automation.run.at IS 'When the rule fired';
COMMENT ON COLUMN automation.run.rule_id IS 'The rule';
COMMENT ON COLUMN automation.run.version IS 'What the rule said then: automation.rule_version';
COMMENT ON COLUMN automation.run.entity_id IS 'Attached table of the row the rule is about';
COMMENT ON COLUMN automation.run.key IS 'Key of that row: a scalar as text, a composite one as jsonb';
COMMENT ON COLUMN automation.run.event IS 'What happened to the row: created, updated, deleted; or due: a time came; fired: by automation.fire(); started: by a step of another rule; activated: the rule was, for all rows';
COMMENT ON COLUMN automation.run.changes IS 'Columns the trigger watches, each with its old and new value, 200 characters of them at most';
COMMENT ON COLUMN automation.run.status IS 'What was known at commit; automation.execution_log tells what has become of it';
COMMENT ON COLUMN automation.run.reason IS 'Why it is not succeeded';
COMMENT ON COLUMN automation.run.sqlstate IS 'Code of the error';
COMMENT ON COLUMN automation.run.steps IS 'Array of {step, action, status, reason, sqlstate, result, deliveries}';
COMMENT ON COLUMN automation.run.depth IS '0: fired by a person''s or program''s write; 1: by what such a run wrote; ...';
COMMENT ON COLUMN automation.run.cause IS 'The run that wrote what fired this one';
COMMENT ON COLUMN automation.run.actor IS 'Session user of the write';

CREATE TABLE automation.notification (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	recipient text NOT NULL,
	body text,
	run_id bigint,
	step smallint,
	read_at timestamptz
);
CREATE INDEX notification_inbox ON automation.notification (recipient, id);
COMMENT ON TABLE automation.notification IS 'What notify() left for the application to show';
COMMENT ON COLUMN automation.notification.id IS 'Number of the notification';
COMMENT ON COLUMN automation.notification.at IS 'When the rule fired';
COMMENT ON COLUMN automation.notification.recipient IS 'Who is to read it';
COMMENT ON COLUMN automation.notification.body IS 'The text';
COMMENT ON COLUMN automation.notification.run_id IS 'Run that made it';
COMMENT ON COLUMN automation.notification.step IS 'Step of the run';
COMMENT ON COLUMN automation.notification.read_at IS 'When it was read: for the application to fill';
