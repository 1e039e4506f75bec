# A rule with evaluate => 'commit' is judged once per row when the transaction ends: by the row as it was before
# the transaction and as the transaction leaves it.
use strict;
use warnings;
use Server;
use Test::More;

my $server = Server->begin('main', max_prepared_transactions => 5, 'pg_automation.databases' => 'template1');
$server->ask(<<'END');
	CREATE EXTENSION pg_automation;
	CREATE TABLE job (id integer PRIMARY KEY, status text, note text);
	CREATE TABLE visit (id integer, status text, note text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
	CREATE TABLE visit_a PARTITION OF visit FOR VALUES IN ('A');
	CREATE TABLE visit_b (note text, status text NOT NULL, gone text, id integer NOT NULL);
	ALTER TABLE visit_b DROP COLUMN gone;
	ALTER TABLE visit ATTACH PARTITION visit_b FOR VALUES IN ('B');
	CREATE TABLE visit_c PARTITION OF visit FOR VALUES IN ('C');
	CREATE TABLE room (id integer PRIMARY KEY, status text);
	SELECT automation.attach('job', 'job', '{"status": "status"}'), automation.attach('room', 'room', '{"status": "status"}');
	SELECT automation.create_rule(name, 'job', name, steps => ARRAY[automation.notify('log', said)], activate => true, evaluate => 'commit')
	FROM (VALUES ('created', '+{{ id }} {{ status }} {{ note }}'), ('deleted', '-{{ id }} {{ old.status }}'), ('status_changed', '{{ id }} {{ old.status }}→{{ new.status }} {{ note }}')) AS v(name, said);
END

# What has been said since the last time.
sub said
{
	return $server->ask(q{WITH gone AS (DELETE FROM automation.notification RETURNING *) SELECT string_agg(body, ', ' ORDER BY id) FROM gone});
}

# What rules say of a transaction, or of statements.
sub fires
{
	my ($sql, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$server->ask($sql);
	is(said(), $expected, $name);
	return;
}

fires(q{BEGIN; INSERT INTO job VALUES (1, 'A'), (2, 'A'), (3, 'A'); COMMIT}, '+1 A , +2 A , +3 A ', 'rows are inserted');
fires(q{UPDATE job SET status = 'B' WHERE id = 1}, '1 A→B ', 'a statement by itself is a transaction too');
fires(q{BEGIN; UPDATE job SET status = 'C' WHERE id = 1; UPDATE job SET status = 'B' WHERE id = 1; COMMIT}, '', 'there and back is no change');
fires(q{BEGIN; UPDATE job SET status = 'C' WHERE id = 1; UPDATE job SET note = 'x' WHERE id = 1; UPDATE job SET status = 'D' WHERE id = 1; COMMIT},
	'1 B→D x', 'several changes are one');
fires(q{BEGIN; INSERT INTO job VALUES (4, 'A'); UPDATE job SET status = 'B', note = 'y' WHERE id = 4; COMMIT}, '+4 B y', 'a new row is created as it is at the end');
fires(q{BEGIN; INSERT INTO job VALUES (5, 'A'); UPDATE job SET status = 'B' WHERE id = 5; DELETE FROM job WHERE id = 5; COMMIT}, '', 'one that is gone by then never was');
fires(q{BEGIN; UPDATE job SET status = 'E' WHERE id = 4; DELETE FROM job WHERE id = 4; COMMIT}, '-4 B', 'a deleted row is what it was before');
fires(q{BEGIN; DELETE FROM job WHERE id = 3; INSERT INTO job VALUES (3, 'Z'); COMMIT}, '3 A→Z ', 'one that comes back under its key has changed');
fires(q{BEGIN; DELETE FROM job WHERE id = 3; INSERT INTO job VALUES (3, 'Z'); DELETE FROM job WHERE id = 3; INSERT INTO job VALUES (3, 'Y'); COMMIT}, '3 Z→Y ', 'however often');
fires(q{BEGIN; INSERT INTO job VALUES (6, 'A'); DELETE FROM job WHERE id = 6; INSERT INTO job VALUES (6, 'B'); COMMIT}, '+6 B ', 'or is created');
fires(q{BEGIN; UPDATE job SET id = 7 WHERE id = 6; UPDATE job SET id = 8, status = 'K' WHERE id = 7; COMMIT}, '8 B→K ', 'a row whose key changes is the same row');
fires(q{BEGIN; DELETE FROM job WHERE id = 8; COMMIT}, '-8 K', 'as it was');

# Savepoints
fires(q{BEGIN; SAVEPOINT s; UPDATE job SET status = 'S' WHERE id = 2; ROLLBACK TO s; COMMIT}, '', 'what is rolled back is forgotten');
fires(q{BEGIN; UPDATE job SET status = 'S' WHERE id = 2; SAVEPOINT s; UPDATE job SET status = 'T' WHERE id = 2; ROLLBACK TO s; COMMIT}, '2 A→S ', 'what was before it is not');
fires(q{BEGIN; SAVEPOINT s; UPDATE job SET status = 'T' WHERE id = 2; SAVEPOINT t; UPDATE job SET status = 'U' WHERE id IN (1, 2); RELEASE t; ROLLBACK TO s;
	UPDATE job SET status = 'V' WHERE id = 2; COMMIT}, '2 S→V ', 'nor what comes after it');
fires(q{DO $$ BEGIN BEGIN UPDATE job SET status = 'X' WHERE id = 2; RAISE 'no'; EXCEPTION WHEN OTHERS THEN UPDATE job SET status = 'W' WHERE id = 2; END; END $$}, '2 V→W ', 'as in a function');
fires(q{BEGIN; UPDATE job SET status = 'X'; ROLLBACK}, '', 'no commit, no judgement');
fires(q{BEGIN; UPDATE job SET status = 'P' WHERE id = 2; UPDATE job SET status = 'Q' WHERE id = 2; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'}, '2 W→Q ', 'two phases');
$server->ask(q{CREATE PROCEDURE twice() LANGUAGE plpgsql AS $$ BEGIN
	UPDATE job SET status = 'R' WHERE id = 2; COMMIT; UPDATE job SET status = 'S' WHERE id = 2; UPDATE job SET status = 'T' WHERE id = 2; END $$});
fires(q{CALL twice()}, '2 Q→R , 2 R→T ', 'each transaction of a procedure');

# What else may stand beside it
$server->ask(q{SELECT automation.create_rule('each', 'job', 'status_changed', steps => ARRAY[automation.notify('log', 'each {{ old.status }}→{{ new.status }}')], activate => true)});
fires(q{BEGIN; UPDATE job SET status = 'U' WHERE id = 2; UPDATE job SET status = 'T' WHERE id = 2; COMMIT}, 'each T→U, each U→T', 'other rules see each change');
$server->ask(q{SELECT automation.alter_rule('each', evaluate => 'commit')});
fires(q{BEGIN; UPDATE job SET status = 'U' WHERE id = 2; UPDATE job SET status = 'V' WHERE id = 2; COMMIT}, '2 T→V , each T→V', 'until they are altered');
$server->ask(q{SELECT automation.drop_rule('each')});
is($server->ask(q{SELECT string_agg(name || ' ' || evaluate, ', ' ORDER BY name) FROM automation.rules}), 'created commit, deleted commit, status_changed commit', 'automation.rules tells which');
my (undef, undef, $refusal) = $server->psql('postgres', q{SELECT automation.alter_rule('created', evaluate => 'never')});
like($refusal, qr/ERROR:  invalid value for evaluate: "never"\nHINT:  Valid values are: row, commit\./, 'there are two ways');

# Partitions
$server->ask(<<'END');
	SELECT automation.attach('visit', 'visit', '{"status": "status"}');
	SELECT automation.create_rule('v ' || name, 'visit', name, steps => ARRAY[automation.notify('log', said)], activate => true, evaluate => 'commit')
	FROM (VALUES ('created', 'v+{{ id }} {{ status }} {{ note }}'), ('deleted', 'v-{{ id }} {{ old.status }}'), ('updated', 'v{{ id }} {{ old.status }}→{{ new.status }} {{ note }}')) AS v(name, said);
END
fires(q{INSERT INTO visit VALUES (1, 'A', 'n'), (2, 'B', 'm')}, 'v+1 A n, v+2 B m', 'partitions');
fires(q{BEGIN; UPDATE visit SET note = 'o' WHERE id = 2; UPDATE visit SET note = 'p' WHERE id = 2; COMMIT}, 'v2 B→B p', 'whatever the order of their columns');

fires(q{BEGIN; UPDATE visit SET status = 'B' WHERE id = 1; UPDATE visit SET status = 'A' WHERE id = 1; COMMIT}, '', 'there and back between them');
fires(q{BEGIN; UPDATE visit SET status = 'B', note = 'b' WHERE id = 1; UPDATE visit SET note = 'bb' WHERE id = 1; UPDATE visit SET status = 'C' WHERE id = 1; UPDATE visit SET note = 'c' WHERE id = 1; COMMIT},
	'v1 A→C c', 'a row that goes through several is one row');
fires(q{BEGIN; UPDATE visit SET note = 'd' WHERE id = 1; SAVEPOINT s; UPDATE visit SET status = 'A' WHERE id = 1; ROLLBACK TO s; UPDATE visit SET status = 'B' WHERE id = 1; COMMIT}, 'v1 C→B d', 'savepoints');
fires(q{BEGIN; INSERT INTO visit VALUES (3, 'A'); UPDATE visit SET status = 'C' WHERE id = 3; COMMIT}, 'v+3 C ', 'a new row that moves is created where it ends');
fires(q{BEGIN; UPDATE visit SET status = 'A' WHERE id = 3; DELETE FROM visit WHERE id = 3; COMMIT}, 'v-3 C', 'one that moves and goes is deleted where it was');
fires(q{BEGIN; INSERT INTO visit VALUES (4, 'A'); UPDATE visit SET status = 'C' WHERE id = 4; DELETE FROM visit WHERE id = 4; COMMIT}, '', 'or never was');

# What rules do when they are judged
$server->ask(<<'END');
	SELECT automation.create_rule('chain', 'job', 'status_entered', '{"to": "Chain"}', steps => ARRAY[
		automation.create_record('room', '{"id": "{{ id }}", "status": "made"}')], activate => true, evaluate => 'commit');
	SELECT automation.create_rule('room', 'room', 'created', steps => ARRAY[automation.notify('log', 'room {{ id }}'), automation.update_field('status', 'done')], activate => true, evaluate => 'commit');
	SELECT automation.create_rule('room done', 'room', 'status_entered', '{"to": "done"}', steps => ARRAY[automation.notify('log', 'done {{ id }}')], activate => true, evaluate => 'commit');
	SELECT automation.create_rule('loop', 'room', 'status_entered', '{"to": "loop"}', steps => ARRAY[automation.update_field('status', 'pool')], activate => true, evaluate => 'commit');
	SELECT automation.create_rule('pool', 'room', 'status_entered', '{"to": "pool"}', steps => ARRAY[automation.update_field('status', 'loop')], activate => true, evaluate => 'commit');
	SELECT automation.create_rule('more', 'room', 'status_entered', '{"to": "more"}', steps => ARRAY[
		automation.create_record('room', '{"id": "{{ id | plus: 1 }}", "status": "more"}')], activate => true, evaluate => 'commit');
END
fires(q{UPDATE job SET status = 'Chain' WHERE id = 2}, '2 V→Chain , room 2, done 2', 'what they change is judged after that, in turn');
$server->ask(q{INSERT INTO room VALUES (50, 'loop')});
is($server->ask(q{SELECT string_agg(rule || ' ' || status || coalesce(' ' || reason, ''), ', ' ORDER BY id) FROM automation.execution_log WHERE key = '50' AND rule IN ('loop', 'pool')}),
	'loop succeeded, pool succeeded, loop suppressed loop: "loop"', 'a loop is cut');

# A failure, and constraints
$server->ask(<<'END');
	CREATE TABLE part (id integer PRIMARY KEY, room_id integer REFERENCES room DEFERRABLE INITIALLY DEFERRED);
	SELECT automation.create_rule('strict', 'job', 'status_entered', '{"to": "Strict"}', steps => ARRAY[automation.create_record('room', '{"id": 50}')],
		activate => true, evaluate => 'commit', on_error => 'fail');
	SELECT automation.create_rule('late', 'job', 'status_entered', '{"to": "Late"}', steps => ARRAY[automation.create_record('part', '{"id": 1, "room_id": 999}')],
		activate => true, evaluate => 'commit');
END
(undef, undef, $refusal) = $server->psql('postgres', q{BEGIN; UPDATE job SET status = 'Strict' WHERE id = 2; UPDATE job SET note = 'z' WHERE id = 2; COMMIT});
like($refusal, qr/ERROR:  duplicate key value/, 'a rule that may fail the write fails the commit');
(undef, undef, $refusal) = $server->psql('postgres', q{BEGIN; UPDATE job SET status = 'Late' WHERE id = 2; COMMIT});
like($refusal, qr/violates foreign key constraint/, 'deferred constraints hold for what rules do');
is($server->ask(q{SELECT status, note FROM job WHERE id = 2}), 'Chain|', 'and nothing is left');

# A table that is written anew meanwhile
my (undef, $out, $warning) = $server->psql('postgres', q{BEGIN; UPDATE job SET status = 'N' WHERE id = 2; ALTER TABLE job ADD COLUMN more double precision DEFAULT random(); COMMIT});
like($warning, qr/WARNING:  rules on table "job" that are evaluated at commit have missed changes\nHINT:  The table was truncated or rewritten/, 'what cannot be found any more is told of');
is($server->ask(q{SELECT status FROM job WHERE id = 2}), 'N', 'and the write lives');

# Many rows cost little memory, and no savepoint each
$server->ask(q{SELECT automation.disable_rule('created'); DELETE FROM automation.notification});
$server->ask(q{INSERT INTO job SELECT i, 'Many' FROM generate_series(1000, 300999) AS i});
my $session = $server->background_psql('postgres');
my $pid     = $session->query('SELECT pg_backend_pid()');
sub memory { open my $status, '<', "/proc/$pid/status" or die; my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>; return $kb }
$session->query_safe(q{UPDATE job SET note = 'warm' WHERE id = 1000});
my $before = memory();
$session->query_safe(q{BEGIN; UPDATE job SET note = 'x' WHERE id >= 1000; UPDATE job SET note = 'y' WHERE id >= 1000});
my $bytes = 1024 * (memory() - $before) / 300_000;
cmp_ok($bytes, '>', 20, 'what has changed is kept in memory');
cmp_ok($bytes, '<', 100, 'in less than 100 bytes a row');
my $began = time;
$session->query_safe('COMMIT');
cmp_ok(time - $began, '<', 20, 'and little time');
$session->quit;
is(said(), '', 'nothing has fired');

$server->stop;
done_testing();
