-- How a rule goes on, and others with it.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('start_rule', 'flow', 'engine', 'final', NULL, NULL, '_compile_other_rule', '{
	"required": ["rule"],
	"properties": {"rule": {"type": "string", "description": "name of a rule on the same table"}}}',
	'Runs another rule for the same row'),
('stop_rule', 'flow', 'engine', 'final', NULL, NULL, '_compile_other_rule', '{
	"required": ["rule"],
	"properties": {"rule": {"type": "string", "description": "name of a rule on the same table"}}}',
	'Ends what another rule still has to do for the same row');

CREATE FUNCTION automation.start_rule(rule text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('start_rule', jsonb_build_object('rule', rule));
COMMENT ON FUNCTION automation.start_rule(text) IS 'A step that runs another rule for the same row';

CREATE FUNCTION automation.stop_rule(rule text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('stop_rule', jsonb_build_object('rule', rule));
COMMENT ON FUNCTION automation.stop_rule(text) IS 'A step that ends what another rule still has to do for the same row';
