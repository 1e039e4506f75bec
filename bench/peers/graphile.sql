CREATE OR REPLACE FUNCTION crm.to_graphile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM graphile_worker.add_job('hook', json_build_object('eid', new.id, 'op', tg_op, 'record', row_to_json(new)));
	RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER measured AFTER UPDATE ON crm.graphile FOR EACH ROW EXECUTE FUNCTION crm.to_graphile();
