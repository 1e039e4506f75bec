CREATE OR REPLACE FUNCTION crm.to_boss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO pgboss.job (name, data, policy)
	VALUES ('hook', jsonb_build_object('eid', new.id, 'op', tg_op, 'record', row_to_json(new)), 'standard');
	PERFORM pg_notify('pgboss_' || left(encode(sha224('pgboss'), 'hex'), 24), 'hook');
	RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER measured AFTER UPDATE ON crm.boss FOR EACH ROW EXECUTE FUNCTION crm.to_boss();
