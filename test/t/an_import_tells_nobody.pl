# A million rows are imported, and a rule that sends is about each of them: nobody is told anything before somebody
# releases the batch, the session's memory does not grow with the rows, and a crash in the middle loses nothing.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $rows   = $ENV{IMPORT_ROWS} // 1_000_000;
my $web    = Sink->start('http');
my $server = Server->begin('main', max_prepared_transactions => 2, fsync => 'off', max_wal_size => '4GB', restart_after_crash => 'on');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE lead (id bigint PRIMARY KEY, status text DEFAULT 'New');
	SELECT automation.attach('lead', 'lead', '{"status": "status"}');
	SELECT automation.create_rule('welcome', 'lead', 'created', steps => ARRAY[automation.send_webhook('hook', '/{{ id }}')], activate => true);
	SELECT automation.create_rule('won', 'lead', 'status_changed', '{"to": "Won"}', steps => ARRAY[automation.send_webhook('hook', '/won/{{ id }}')], activate => true);
END

# Kilobytes that this session alone has.
my $memory = q{SELECT 'memory ' || (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1]};
my $tenth  = $rows / 10;
my ($status, $out, $warnings) = $server->psql('postgres', join ";\n", 'BEGIN',
	(map { my $from = $_ * $tenth + 1; my $to = ($_ + 1) * $tenth; ("INSERT INTO lead SELECT g FROM generate_series($from, $to) AS g", $memory) } 0 .. 9),
	'COMMIT');
is($status, 0, 'rows are imported');
my @memory = $out =~ /^memory (\d+)$/mg;
diag("memory of the session after each tenth of $rows rows, in kB: @memory");
cmp_ok($memory[9] - $memory[1], '<', 16 * 1024, 'memory does not grow with them');
my @told = $warnings =~ /WARNING:  transaction produced more than 1000 automation events, remaining events are held/g;
is(scalar @told, 1, 'the session is told, once');
is($server->ask('SELECT rule, state, matches, messages FROM automation.pending_batches'), 'welcome|held|' . ($rows - 1000) . '|1000', 'all of it is held');
is($server->ask('SELECT count(*) FROM automation.attempt'), 0, 'nothing has been sent');

# While the worker has had every occasion: a message that is no part of it passes.
$server->ask('INSERT INTO lead VALUES (0)');
my ($sent) = $web->wait_for(1);
is($sent->{path}, '/0', 'what others write goes on its way');
is($server->ask('SELECT count(*) FROM automation.attempt'), 1, 'and that alone');

# Somebody lets it go, at his pace, and a crash makes no difference.
my $batch = $server->ask('SELECT max(batch) FROM automation.pending_batches');
$server->ask("SELECT automation.release_batch($batch, 1000)");
$server->poll_query_until('postgres', 'SELECT count(*) > 1500 FROM automation.run') or die 'nothing is released';
$server->crash(sub { kill 'KILL', $server->worker('postgres') });
$server->poll_query_until('postgres', 'SELECT count(*) > 2500 FROM automation.run') or die 'nothing more is released';
is($server->ask('SELECT count(*) - count(DISTINCT key) FROM automation.run'), 0, 'each match becomes one run');
cmp_ok($server->ask('SELECT (SELECT count(*) FROM automation.run) + (SELECT count(*) FROM automation.held)'), '==', $rows + 1, 'and none is lost on the way');
$server->ask("SELECT automation.discard_batch($batch)");
is($server->ask('SELECT count(*) FROM automation.pending_batches'), 0, 'the rest is dropped');
is($server->ask(q{SELECT status, reason ~ '^bulk: [0-9]+ matches, batch [0-9]+ discarded by ' FROM automation.execution_log WHERE event = 'discarded'}), 'suppressed|t',
	'and the log says so');

# A change of all of them, prepared: it is a batch when that is committed.
$server->ask(q{BEGIN; UPDATE lead SET status = 'Won' WHERE id BETWEEN 1 AND 1500; PREPARE TRANSACTION 'bulk'});
is($server->ask('SELECT count(*) FROM automation.pending_batches'), 0, 'a prepared transaction has done nothing');
$server->ask(q{COMMIT PREPARED 'bulk'});
is($server->ask('SELECT rule, matches, messages FROM automation.pending_batches'), 'won|500|1000', 'committed, it is a batch');
$server->ask(q{BEGIN; UPDATE lead SET status = 'Lost'; UPDATE lead SET status = 'Won' WHERE id BETWEEN 1 AND 1500; PREPARE TRANSACTION 'bulk'});
$server->ask(q{ROLLBACK PREPARED 'bulk'});
is($server->ask('SELECT count(*) FROM automation.pending_batches'), 1, 'rolled back, nothing');

done_testing();
