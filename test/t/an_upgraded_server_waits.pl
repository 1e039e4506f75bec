# pg_upgrade takes everything along: rules, what is planned, what is on its way, what was sent. Nothing fires anew. The
# new server is another one to us, as the old one could be started again: it waits until it is adopted.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('old');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask("INSERT INTO job VALUES (1, '+12025550199')");
$server->tells('1 tell delivered, 1 tell delivered, 1 remind delivered', 'the old server sends');
$server->ask("CREATE SERVER quiet FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://127.0.0.1:1')");
$server->ask("SELECT automation.pause_channel('quiet')");
$server->append_conf('postgresql.conf', 'pg_automation.databases = none'); # no worker: nothing goes on
$server->restart;
$server->ask('INSERT INTO job VALUES (2); INSERT INTO job (id) SELECT * FROM generate_series(10, 200)');
my $contents = <<'END';
	SELECT (SELECT count(*) FROM automation.run), (SELECT count(*) FROM automation.delivery), (SELECT count(*) FROM automation.attempt),
		(SELECT count(*) FROM automation.pending), (SELECT count(*) FROM automation.execution_log)
END
my $before  = $server->ask($contents);
my $sent    = $web->received;
my $webhook = "SELECT identity FROM automation.worker";
my $as      = $server->ask($webhook);
$server->stop;

my $new = Server->begin('new');
$new->stop;
my $bin = $server->config_data('--bindir');
chdir $ENV{TESTDIR} or die $!; # where it leaves its scripts
$server->command_ok(
	[ 'pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $server->data_dir, '-D', $new->data_dir, '-s', $new->host,
		'-p', $server->port, '-P', $new->port ], 'pg_upgrade');
chdir '../../..' or die $!;

$new->start;
$new->worker('postgres');
is($new->ask($contents), $before, 'all is there, and nothing has fired');
like($new->finding('home'), qr/^It comes from database "postgres" with OID \d+ in cluster \d+; this is "postgres" in cluster \d+\.$/,
	'check() says that it waits, and why');
$new->poll_query_until('postgres', 'SELECT count(*) = 0 FROM automation.due WHERE due_at > automation._now()');
is($new->ask('SELECT automation.tick()'), 0, 'what is due is not done');
$new->ask('INSERT INTO job VALUES (3)');
is($new->ask("SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM automation.deliveries"), 'delivered held', 'and what is on its way is held');
is(scalar $web->received, $sent, 'nothing has left');

$new->ask("SELECT automation.adopt('resume')");
$new->poll_query_until('postgres', "SELECT count(*) = 2 * 194 + 1 AND bool_and(state = 'delivered') FROM automation.deliveries");
is(scalar $web->received, 2 * 194 + 1, 'adopted, it goes on with what it had, and repeats nothing');
is($new->ask("SELECT string_agg(name, ' ') FROM automation.channels WHERE state = 'paused'"), 'quiet', 'what was paused is paused');
is($new->ask($webhook), $as, 'as the one that it was');

$new->stop;
done_testing();
