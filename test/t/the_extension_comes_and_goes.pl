# Writers never notice whether the library is preloaded, the extension there, its worker running or a setting
# changed. Once all is back in its place, what was written meanwhile is delivered, and check() says what is
# missing until then.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $server = Server->begin('main', shared_preload_libraries => '');

my $tables = <<'END';
	CREATE TABLE job (name text PRIMARY KEY, delay integer NOT NULL DEFAULT 0);
	CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
END
my $rules = <<'END';
	SELECT automation.attach('job');
	SELECT automation.attach('note');
	SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[
		automation.send_webhook('hook', '/delay/{{ delay }}/{{ name }}')]);
	SELECT automation.create_rule('file', 'note', 'created', activate => true, steps => ARRAY[
		automation.notify('log', '{{ body }}')]);
END

sub install
{
	my ($database) = @_;
	$server->install($database, $web);
	$server->safe_psql($database, $rules);
	return;
}

sub insert
{
	my ($name, $database) = @_;
	$server->safe_psql($database // 'postgres', "INSERT INTO job VALUES ('$name')");
	return;
}

sub arrives
{
	my ($name, $when) = @_;
	my ($begin, $found) = (time, 0);
	until ($found || time - $begin > 10)
	{
		Time::HiRes::sleep(0.02);
		$found = grep { $_->{path} =~ m{/$name$} } $web->received;
	}
	ok($found, "$when, the message arrives within 10 s");
	return;
}

sub inserted_arrives
{
	my ($name, $when, $database) = @_;
	insert($name, $database);
	arrives($name, $when);
	return;
}

sub check_says
{
	my ($check, $expected, $when) = @_;
	is($server->ask("SELECT concat_ws(' - ', ok, detail) FROM automation.check() WHERE \"check\" = '$check'"),
		$expected, "$when, check() says so");
	return;
}

# Also for all sessions that are there.
sub set_for_all
{
	my ($setting, $value) = @_;
	$server->ask("ALTER SYSTEM SET $setting = '$value'");
	$server->reload;
	$server->poll_query_until('postgres', "SELECT current_setting('$setting') = '$value'");
	return;
}

sub started_at { return $server->ask(<<"END") }
	SELECT min(a.started_at) FROM automation.attempts AS a
	JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.recipient LIKE '%/$_[0]'
END

# The library is not preloaded.
$server->ask($tables);
install('postgres');
insert('waits');
is($server->ask('SELECT rule, status FROM automation.execution_log'), 'tell|delivering', 'without the library rules run');
is($server->ask('SELECT state FROM automation.deliveries'), 'ready', 'and messages wait');
check_says('library', 'f - shared_preload_libraries = ', 'when it is not preloaded');
check_says('worker', 'f - no worker runs in this database', 'when there is no worker');
$server->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_automation'");
$server->restart;
arrives('waits', 'when it is preloaded');
my $worker = $server->worker('postgres');
check_says('library', 't - shared_preload_libraries = pg_automation', 'when it is preloaded');
check_says('worker', "t - process $worker", 'when there is a worker');

# DROP and CREATE EXTENSION, beside a session that has used it.
my $session = $server->background_psql('postgres');
$session->query_safe("INSERT INTO job VALUES ('used')");
my (undef, undef, $refusal) = $server->psql('postgres', 'DROP EXTENSION pg_automation');
like($refusal, qr/cannot drop extension pg_automation because other objects depend on it/, 'DROP EXTENSION is refused');
$server->ask('BEGIN; DROP EXTENSION pg_automation CASCADE; ROLLBACK');
inserted_arrives('kept', 'after a DROP EXTENSION that was rolled back');
$server->ask('DROP EXTENSION pg_automation CASCADE');
is($server->ask("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'job'::regclass"), 0, 'CASCADE drops it with its triggers');
$session->query_safe("INSERT INTO job VALUES ('unseen')");
$server->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_automation worker'");
install('postgres');
$session->query_safe("INSERT INTO job VALUES ('again')");
arrives('again', 'when the extension is made again');
is($server->ask("SELECT string_agg(key, ' ') FROM automation.execution_log"), 'again', 'and nothing of the time between');

# The same beside writers: tables are detached first, so that nobody meets in opposite order.
my $script = "$ENV{TESTDIR}/note.sql";
append_to_file($script, "INSERT INTO note (body) VALUES ('x');\n");
my $offset  = -s $server->logfile;
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', 4, '-R', 400, '-T', 300, '-f', $script, $server->connstr('postgres') ], '>&', \my $report);
for (1 .. 3)
{
	$server->poll_query_until('postgres', 'SELECT count(*) > 100 FROM automation.notification');
	$server->ask('SELECT automation.detach(relation, cascade => true) FROM automation.entity');
	$server->ask('DROP EXTENSION pg_automation CASCADE');
	install('postgres');
}
# Told that its time is up, pgbench takes leave of the server.
$writers->signal('ALRM');
$writers->finish;
$server->log_check('writers do not notice', $offset, log_unlike => [qr/ERROR:/]);
inserted_arrives('beside-writers', 'after all that');

# What wants a database for itself gets it, although a worker is connected.
$server->ask('CREATE DATABASE other');
$server->safe_psql('other', $tables);
install('other');
inserted_arrives('other', 'in another database', 'other');
$server->ask('CREATE DATABASE copy TEMPLATE other');
inserted_arrives('still-other', 'when the database was a template', 'other');
$server->ask('ALTER DATABASE other RENAME TO renamed');
$server->safe_psql('renamed', "SELECT automation.adopt('resume')");
inserted_arrives('renamed', 'when the database was renamed', 'renamed');
$server->ask('DROP DATABASE renamed');
$server->safe_psql('copy', "SELECT automation.adopt('discard')");
inserted_arrives('copy', 'in the copy', 'copy');
$server->safe_psql('copy', "INSERT INTO job VALUES ('slow', 30000)");
arrives('slow', 'though it is answered late');
my $begin = time;
$server->ask('DROP DATABASE copy');
cmp_ok(time - $begin, '<', 9, 'DROP DATABASE does not wait for an answer of 30 s');

# Worker and launcher end in order: what is under way is waited for, nothing is sent twice.
$server->ask("INSERT INTO job VALUES ('under-way', 1000)");
arrives('under-way', 'though it is answered late');
$worker = $server->worker('postgres');
is($server->ask("SELECT pg_terminate_backend($worker, 9000)"), 't', 'a worker ends when it is told to');
inserted_arrives('new-worker', 'with another worker');
is( $server->ask(
		"SELECT pg_terminate_backend(pid, 9000) FROM pg_stat_activity WHERE backend_type = 'pg_automation launcher'"),
	't', 'so does the launcher');
inserted_arrives('no-launcher', 'with the worker that is there');
is($server->ask("SELECT count(*) FROM automation.attempts WHERE outcome <> 'delivered' OR number > 1"), 0, 'each at the first attempt');

# superuser_rules, for sessions old and new.
$server->ask(<<'END');
	CREATE ROLE author;
	GRANT SELECT, TRIGGER ON job TO author;
	SELECT automation.grant_access('author', 'author');
	SET ROLE author;
	SELECT automation.create_rule('note', 'job', 'created', activate => true, steps => ARRAY[
		automation.notify('author', '{{ name }}')]);
END
sub fired { return $server->ask("SELECT string_agg(rule, ' ' ORDER BY id) FROM automation.execution_log WHERE key = '$_[0]'") }
$session->query_safe("INSERT INTO job VALUES ('before')");
is(fired('before'), 'tell note', 'rules of a superuser and of another role run');
set_for_all('pg_automation.superuser_rules', 'off');
insert('off');
$session->query_safe("INSERT INTO job VALUES ('off-here')");
is(fired('off'), 'note', 'superuser_rules = off stops those of the superuser');
is(fired('off-here'), 'note', 'in a session that has used them too');
check_says('rules', 'f - "tell": pg_automation.superuser_rules is off; "file": pg_automation.superuser_rules is off', 'when rules do not run');
my (undef, undef, $forbidden) = $server->psql('postgres', "SELECT automation.alter_rule('tell', condition => 'true')");
like($forbidden, qr/rules owned by a superuser are not allowed/, 'and nobody writes such');
set_for_all('pg_automation.superuser_rules', 'on');
$session->query_safe("INSERT INTO job VALUES ('on-here')");
is(fired('on-here'), 'tell note', 'on: they run again');
arrives('on-here', 'then');

# The settings of the worker.
set_for_all('pg_automation.delivery', 'off');
insert('held');
is($server->ask("SELECT state FROM automation.deliveries WHERE id = (SELECT max(id) FROM automation.delivery)"), 'held', 'delivery = off holds messages');
check_says('delivery', 'f - pg_automation.delivery = off', 'when they are held');
my $on_since = $server->ask('SELECT clock_timestamp()');
set_for_all('pg_automation.delivery', 'on');
arrives('held', 'with delivery = on');
cmp_ok(started_at('held'), 'gt', $on_since, 'and no attempt was made before');

set_for_all('pg_automation.databases', 'elsewhere');
$server->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_automation worker'");
check_says('worker', 'f - no worker runs in this database', 'when the database is not listed');
insert('unlisted');
set_for_all('pg_automation.databases', 'elsewhere, postgres');
arrives('unlisted', 'when it is listed');
$session->quit;

# No background process is left: PostgreSQL's logical replication launcher and ours take what there is.
$server->append_conf('postgresql.conf', 'max_worker_processes = 2');
$server->restart;
insert('crowded');
is(fired('crowded'), 'tell note', 'without a process for the worker rules run');
$server->wait_for_log(qr/cannot start a worker for database "postgres": no background process is free/);
check_says('worker', 'f - no worker runs in this database', 'when there is no process for a worker');
check_says('worker processes', 'f - 2 of 2 in use', 'when all are in use');
$server->append_conf('postgresql.conf', 'max_worker_processes = 4');
$server->restart;
arrives('crowded', 'when there is room');
$server->worker('postgres');
check_says('worker processes', 't - 3 of 4 in use', 'when there is room');

$server->stop;
done_testing();
