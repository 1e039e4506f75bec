# What a bulk has held is released while its channel is paused: it leaves once, and no faster than was said.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', 'pg_automation.max_events_per_transaction' => 5);
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE lead (id bigint PRIMARY KEY);
	SELECT automation.attach('lead', 'lead');
	SELECT automation.create_rule('welcome', 'lead', 'created', steps => ARRAY[automation.send_webhook('hook', '/{{ id }}')], activate => true);
	INSERT INTO lead VALUES (0);
END
$web->wait_for(1);
$server->ask(q{SELECT automation.pause_channel('hook')});
$server->ask('INSERT INTO lead SELECT g FROM generate_series(1, 10) AS g');
$server->ask('SELECT automation.release_batch(max(batch), 2) FROM automation.pending_batches');
$server->ask(q{SELECT automation.resume_channel('hook')});
$server->poll_query_until('postgres', q{SELECT count(*) = 11 AND bool_and(state = 'delivered') FROM automation.deliveries}) or die 'not delivered';
is(scalar $web->received, 11, 'each message is sent once');
is($server->ask('SELECT max(number) FROM automation.attempt'), 1, 'by one attempt');
cmp_ok($server->ask(q{SELECT extract(epoch FROM max(a.started_at) - min(a.started_at)) FROM automation.attempt AS a WHERE a.delivery_id BETWEEN 2 AND 6}),
	'>', 1.5, 'two a second');

$server->stop;
done_testing();
