# Most transactions call the worker. What one has left that was prepared he finds by looking from time to time, and does so
# while the messages of another channel keep him busy, too.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep time);

my $web    = Sink->start('http');
my $server = Server->begin('main', max_prepared_transactions => 1);
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask(<<'END');
	ALTER SERVER hook OPTIONS (ADD max_in_flight '4');
	SELECT automation.drop_rule('remind');
	SELECT automation.create_rule('done', 'job', 'created', condition => 'new.done', activate => true, steps => ARRAY[
		automation.send_sms('twilio', '+12025550199', 'done'),
		automation.after('1 second', automation.notify('log', 'done'))]);
END
$server->ask('INSERT INTO job (id, done) VALUES (1, true)');
$server->poll_query_until('postgres', 'SELECT count(*) = 1 FROM automation.notification') or die 'nothing is done';
$server->ask(q{BEGIN; INSERT INTO job (id, done) VALUES (2, true); PREPARE TRANSACTION 'two'});
$server->ask(<<'END');
	SET pg_automation.max_events_per_transaction = 0;
	INSERT INTO job (id, word, number) SELECT g, 'delay', 10 FROM generate_series(1001, 6000) AS g
END
sleep 2;
$server->ask(q{COMMIT PREPARED 'two'});
my $ends = 'SELECT (SELECT count(*) FROM automation.notification) = 2 AND (SELECT count(*) FROM automation.deliveries '
  . q{WHERE channel = 'twilio' AND state = 'delivered') = 2};
$server->poll_query_until('postgres', $ends) or die 'not found';
my $left = $server->ask(q{SELECT count(*) FROM automation.deliveries WHERE channel = 'hook' AND state <> 'delivered'});
cmp_ok($left, '>', 500, 'its message leaves, and its step is taken, before all others have left');

# Nor is its step forgotten while others call for messages, and for nothing else, all the time.
$server->poll_query_until('postgres', q{SELECT bool_and(state = 'delivered') FROM automation.deliveries}) or die 'not delivered';
$server->ask(q{BEGIN; INSERT INTO job (id, done) VALUES (3, true); PREPARE TRANSACTION 'three'});
sleep 1;
my $begin = time;
$server->ask(q{COMMIT PREPARED 'three'});
for my $job (7001 .. 7300)
{
	$server->ask("INSERT INTO job (id, number) VALUES ($job, 0)");
	last if $server->ask('SELECT count(*) FROM automation.notification') == 3;
	sleep 0.1;
}
cmp_ok(time - $begin, '<', 10, 'its step is taken while messages keep coming');

$server->stop;
done_testing();
