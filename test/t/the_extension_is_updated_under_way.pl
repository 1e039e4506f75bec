# ALTER EXTENSION UPDATE and DROP DATABASE, while writers write and the worker sends: nobody waits long, and nothing is
# lost. Of this version there is no other yet: the test brings one that changes what everybody has in hand.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
my $version = $server->ask("SELECT extversion FROM pg_extension WHERE extname = 'pg_automation'");

# Scripts are looked for where the extension is installed.
my $scripts = $server->config_data('--sharedir') . '/extension';
my @updates = ("$scripts/pg_automation--$version--$version.next.sql", "$scripts/pg_automation--$version.next--$version.sql");
unlink @updates;
append_to_file($updates[0], <<'END');
ALTER TABLE automation.delivery ADD COLUMN next integer DEFAULT 7;
ALTER TABLE automation.attempt ADD COLUMN next integer;
CREATE INDEX run_next ON automation.run (key);
END
append_to_file($updates[1], <<'END');
ALTER TABLE automation.delivery DROP COLUMN next;
ALTER TABLE automation.attempt DROP COLUMN next;
DROP INDEX automation.run_next;
END

END { unlink @updates if @updates }

my $script = "$ENV{TESTDIR}/job.sql";
append_to_file($script, "\\set id random(1, 1000000000)\nINSERT INTO job (id, done) VALUES (:id, false) ON CONFLICT DO NOTHING;\n");
my $report;
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-R', 100, '-T', 300, '-f', $script, $server->connstr('postgres') ], '>', \$report, '2>', \$report);
my $log = -s $server->logfile;
$web->wait_for(20);
for my $round (1 .. 3)
{
	for my $to ("$version.next", $version)
	{
		my $sent  = $web->received;
		my $begin = time;
		$server->ask("SET lock_timeout = '20s'; ALTER EXTENSION pg_automation UPDATE TO '$to'");
		note sprintf 'to %s within %.2f s', $to, time - $begin;
		$web->wait_for($sent + 30);
	}
}
# pgbench takes this for the end of its time, and takes leave of the server: killed, it would leave a lost connection in the log.
$writers->signal('ALRM');
$writers->finish;
$server->log_check('neither writers nor the worker notice', $log, log_unlike => [ qr/ERROR:|WARNING:|FATAL:(?!.*terminating connection)/ ]);
is($server->ask("SELECT extversion FROM pg_extension WHERE extname = 'pg_automation'"), $version, 'there and back, three times');
$server->poll_query_until('postgres', "SELECT count(*) = 2 * (SELECT count(*) FROM job) AND bool_and(state = 'delivered') FROM automation.deliveries");
my %arrived;
$arrived{ ($_->{json}{job} // '') . ' ' . ($_->{json}{late} // '') }++ for $web->received;
is(scalar keys %arrived, $server->ask('SELECT 2 * count(*) FROM job'), 'every message has arrived');
is_deeply([ grep { $arrived{$_} > 1 } keys %arrived ], [], 'once');

# A database goes by force, with requests under way.
$server->ask('CREATE DATABASE other');
$server->install('other', $web);
$server->tell_of_jobs('other');
$server->safe_psql('other', "INSERT INTO job SELECT i, NULL, 'delay', 30000 FROM generate_series(1, 5) AS i");
my $sent = $web->received;
$web->wait_for($sent + 5);
my $busy = IPC::Run::start([ 'psql', '-X', '-c', 'SELECT pg_sleep(100)', $server->connstr('other') ], '>', \my $out, '2>', \my $err);
$server->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'");
my (undef, undef, $refusal) = $server->psql('postgres', 'DROP DATABASE other');
like($refusal, qr/database "other" is being accessed by other users/, 'while somebody is in it a database is not dropped');
$server->worker('other');
my $begin = time;
$server->ask('DROP DATABASE other WITH (FORCE)');
cmp_ok(time - $begin, '<', 10, 'but by force, though requests are under way');
$busy->finish;
$server->ask('INSERT INTO job VALUES (0)');
$server->poll_query_until('postgres', "SELECT count(*) = 2 FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id WHERE r.key = '0' AND d.state = 'delivered'");
pass('the worker of another database goes on');

$server->stop;
done_testing();
