# While a channel is fast, the next requests are claimed before there is a place for them. When it becomes slow, they are
# given back: who pauses the channel then, or cancels, has not come too late. Nothing is lost by it, nor sent twice. What is
# not to be sent twice is not claimed so.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep);

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask(q{SELECT automation.drop_rule('remind')});
$server->ask('INSERT INTO job SELECT g FROM generate_series(1, 600) AS g');
$server->poll_query_until('postgres', q{SELECT count(*) = 600 FROM automation.attempt WHERE outcome = 'delivered'}) or die 'not delivered';

# Of those after a while each takes two seconds.
$server->ask(q{INSERT INTO job SELECT g, NULL, 'delay', CASE WHEN g < 1700 THEN 0 ELSE 2000 END FROM generate_series(1000, 1900) AS g});
$server->poll_query_until('postgres', <<'END') or die 'nothing is slow';
	SELECT count(*) > 0 FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id
	WHERE a.outcome IS NULL AND d.message ->> 'path' LIKE '/delay/2000/%' AND a.started_at < clock_timestamp() - interval '0.3 s'
END
$server->ask(q{SELECT automation.pause_channel('hook')});
sleep 0.3;
my $before = $web->received;
$server->poll_query_until('postgres', 'SELECT count(*) = 0 FROM automation.attempt WHERE outcome IS NULL') or die 'not settled';
sleep 0.5;
is(scalar $web->received, $before, 'nothing leaves a channel that was paused');
note($server->ask(q{SELECT count(*) FROM automation.attempt WHERE reason LIKE 'not begun%'}) . ' were given back');
is($server->ask(q{SELECT max(number) FROM automation.attempt WHERE reason LIKE 'not begun%'}) || 0, 0, 'which counts as no attempt');

$server->ask(q{UPDATE automation.delivery SET message = jsonb_set(message, '{path}', '"/late"') WHERE message ->> 'path' LIKE '/delay/2000/%'
	AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = delivery.id AND a.outcome = 'delivered')});
$server->ask(q{SELECT automation.resume_channel('hook')});
$server->poll_query_until('postgres', q{SELECT bool_and(state = 'delivered') FROM automation.deliveries}) or die 'not delivered';
is(scalar $web->received, 1501, 'all of it is sent once it goes on, and once');

$server->ask(q{SELECT automation.drop_rule('tell')});
$server->ask(<<'END');
	SELECT automation.create_rule('once', 'job', 'created', activate => true, steps => ARRAY[
		automation.action('send_webhook', '{"channel": "hook", "path": "/{{ word }}/{{ number }}/{{ id }}", "body": {}, "on_unknown": "hold"}')])
END
$server->ask(q{INSERT INTO job SELECT g, NULL, 'delay', CASE WHEN g < 2700 THEN 0 ELSE 500 END FROM generate_series(2000, 2900) AS g});
$server->poll_query_until('postgres', q{SELECT bool_and(state = 'delivered') FROM automation.deliveries}) or die 'not delivered';
is($server->ask(q{SELECT count(*) FROM automation.attempt WHERE delivery_id > 1501}), 901, 'what is not to be sent twice is not claimed before there is a place');
is(scalar $web->received, 2402, 'and is sent once');

$server->stop;
done_testing();
