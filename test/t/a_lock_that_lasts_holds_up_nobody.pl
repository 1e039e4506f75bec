# Rows and tables that somebody keeps locked hold up what needs them, and nothing else that is due or on its way.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep time);

my $web    = Sink->start('http');
my $server = Server->begin('main', 'pg_automation.poll_interval' => '60s');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE tally (id integer PRIMARY KEY, jobs bigint);
	INSERT INTO tally VALUES (1, 0);
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
	CREATE FUNCTION count_job() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN UPDATE tally SET jobs = jobs + 1 WHERE id = 1; RETURN new; END $$;
	CREATE TRIGGER tally BEFORE UPDATE ON job FOR EACH ROW EXECUTE FUNCTION count_job();
	CREATE TABLE call (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
	SELECT automation.attach('job', 'job'), automation.attach('call', 'call');
	SELECT automation.create_rule('note', 'job', 'created', activate => true, steps => ARRAY[
		automation.after('1 second', automation.update_field('note', 'seen'))]);
	SELECT automation.create_rule('tell', 'call', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook')]);
	INSERT INTO call DEFAULT VALUES;
END
$web->wait_for(1);

# How long a webhook takes.
my $sent = 1;
sub seconds
{
	my $since = time;
	$server->ask('INSERT INTO call DEFAULT VALUES');
	$web->wait_for(++$sent, 60);
	return time - $since;
}

# A row that a step that is due needs.
my $session = $server->background_psql('postgres');
$session->query_safe('BEGIN; UPDATE tally SET jobs = jobs WHERE id = 1');
$server->ask('INSERT INTO job (note) VALUES (NULL)');
ok($server->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 'a step waits for a row');
my @waits = map { sleep 0.5; seconds() } 1 .. 8;
cmp_ok((sort { $a <=> $b } @waits)[-1], '<', 4, 'messages leave meanwhile') or diag("@waits");
$session->query_safe('COMMIT');
ok($server->poll_query_until('postgres', "SELECT note = 'seen' FROM job"), 'and the step is taken when the row is free');

# A table of the worker's own: it gives way, and can be told to leave.
$session->query_safe('BEGIN; LOCK TABLE automation.attempt IN ACCESS EXCLUSIVE MODE');
$server->ask('INSERT INTO call DEFAULT VALUES');
ok($server->poll_query_until('postgres', 'SELECT failures > 0 FROM automation._worker_figures()'), 'a turn ends that waits for a table');
my $worker = $server->worker('postgres');
$server->ask("SELECT pg_terminate_backend($worker, 20000)");
isnt($server->ask("SELECT count(*) FROM pg_stat_activity WHERE pid = $worker"), '1', 'and the worker leaves when it is told to');
$session->query_safe('COMMIT');
$web->wait_for(++$sent, 60);
is(scalar $web->received, $sent, 'the message leaves once the table is free');

# A trigger that somebody puts on a table while the worker waits to change its row.
$server->ask(<<'END');
	CREATE TABLE noted (outcome text);
	CREATE FUNCTION note_outcome() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO public.noted VALUES (new.outcome); RETURN new; END $$;
	CREATE TABLE late (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
	SELECT automation.attach('late', 'call');
	SELECT automation.create_rule('tell late', 'late', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook', '/delay/1000')]);
	INSERT INTO late DEFAULT VALUES;
END
$web->wait_for(++$sent, 20);
$session->query_safe('BEGIN; CREATE TRIGGER note BEFORE UPDATE ON automation.attempt FOR EACH ROW EXECUTE FUNCTION note_outcome()');
ok($server->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 'the worker waits to record an outcome');
$session->query_safe('COMMIT');
ok($server->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM automation.attempt WHERE outcome IS NULL)'), 'it records it');
is($server->ask('SELECT outcome FROM noted'), 'delivered', 'and does not get past the trigger');
$server->ask('DROP TRIGGER note ON automation.attempt');

# A volume that is being emptied while the worker goes through all of them: what is unsent is carried over to one where the
# worker has been already.
sub write_volume
{
	my ($number) = @_;
	return $server->ask("UPDATE automation.volume SET closed_at = CASE WHEN number <> $number THEN now() END WHERE number IN (0, 1)");
}
$server->ask(q{SELECT automation.pause_channel('hook')});
write_volume(1);
$server->ask('INSERT INTO call DEFAULT VALUES');
write_volume(0);
$session->query_safe(q{BEGIN; SELECT automation._empty_volume(1, now() + interval '1 day', '{}')});
$server->ask(q{SELECT automation.resume_channel('hook')});
ok($server->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"), 'the worker waits for a volume');
$session->query_safe('COMMIT');
$session->quit;
$web->wait_for(++$sent, 20);
is(scalar $web->received, $sent, 'what is carried over meanwhile is not missed');

$server->stop;
done_testing();
