# Over a limit of its channel, its host or its rate a message is later, and says why; a channel that
# fails is left alone, also by the next worker.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
my $url = 'http://127.0.0.1:' . $web->port;
$server->ask(<<"END");
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_channel('slow', 'webhook', '{"base_url": "$url", "rate_limit": "20/s"}');
	SELECT automation.create_channel('narrow', 'webhook', '{"base_url": "$url/delay/200", "max_in_flight": "2"}');
	SELECT automation.create_channel('broken', 'webhook',
		'{"base_url": "$url/status/503", "breaker_failures": "3", "breaker_pause": "6s", "retry_schedule": "100ms, 100ms, 100ms, 100ms, 100ms, 100ms, 100ms"}');
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.channel = %L', name), activate => true,
		steps => ARRAY[automation.send_webhook(name, '/' || name)]) FROM unnest('{slow,narrow,broken,hook}'::text[]) AS name;
END

sub enqueue
{
	my ($count, $channel) = @_;
	$server->ask("INSERT INTO job (channel) SELECT '$channel' FROM generate_series(1, $count)");
	return;
}

sub becomes
{
	my ($query, $name) = @_;
	ok($server->poll_query_until('postgres', $query), $name);
	return;
}

# The rate.
enqueue(61, 'slow');
becomes(q{SELECT count(*) > 0 FROM automation.deliveries WHERE channel = 'slow' AND state = 'ready' AND reason = 'channel is at its rate limit'},
	'what waits for the rate says so');
becomes(q{SELECT count(*) = 61 FROM automation.deliveries WHERE channel = 'slow' AND state = 'delivered'}, 'and is sent in the end');
my $seconds = $server->ask(q{SELECT extract(epoch FROM max(a.started_at) - min(a.started_at)) FROM automation.attempts AS a WHERE channel = 'slow'});
cmp_ok($seconds, '>=', 2.8, "61 messages at 20 a second take 3 seconds: $seconds");
cmp_ok($seconds, '<', 8, 'and not much more');

# Places.
enqueue(40, 'narrow');
becomes(q{SELECT count(*) > 0 FROM automation.deliveries WHERE channel = 'narrow' AND state = 'ready' AND reason = 'channel has 2 requests under way'},
	'what waits for a place says so');
becomes(q{SELECT count(*) = 40 FROM automation.deliveries WHERE channel = 'narrow' AND state = 'delivered'}, 'and is sent in the end');
my $most = $server->ask(<<'END');
	SELECT max((SELECT count(*) FROM automation.attempts AS b WHERE b.channel = 'narrow' AND a.started_at >= b.started_at AND a.started_at < b.finished_at))
	FROM automation.attempts AS a WHERE a.channel = 'narrow'
END
is($most, 2, 'never more than two at once');

# The breaker: three failures open it, whatever else waits.
enqueue(3, 'broken');
becomes(q{SELECT state = 'open' AND reason LIKE '%HTTP 503' AND open_until > now() FROM automation.channels WHERE name = 'broken'}, 'a channel that fails is left alone');
enqueue(5, 'broken');
becomes(q{SELECT count(*) = 5 FROM automation.deliveries WHERE channel = 'broken' AND state = 'ready' AND reason = 'channel is left alone for a while: HTTP 503'},
	'what comes then waits and says why');
my $openings = "SELECT openings FROM automation.breaker";
my $worker   = $server->worker('postgres');
my $tried    = $server->ask("SELECT count(*) FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.channel = 'broken'");
$server->ask("SELECT pg_terminate_backend($worker, 10000)");
isnt($server->worker('postgres'), $worker, 'the next worker');
enqueue(1, 'hook');
becomes(q{SELECT count(*) = 1 FROM automation.deliveries WHERE channel = 'hook' AND state = 'delivered'}, 'delivers');
is($server->ask("SELECT count(*) FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.channel = 'broken'"),
	$tried, 'and leaves it alone too');
becomes("SELECT coalesce(($openings), 0) >= 2", 'one attempt after the pause opens it again');
is($server->ask("SELECT count(*) - $tried FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.channel = 'broken'"),
	1, 'it was one');
# Half open when the worker ends: the next one tries once, and waits longer.
$worker = $server->worker('postgres');
my $opened = $server->ask($openings);
$server->ask(q{UPDATE automation.breaker SET until = now()}); # the pause is over, as the next worker will see
$server->ask("SELECT pg_terminate_backend($worker, 10000)");
isnt($server->worker('postgres'), $worker, 'a worker that finds it half open');
becomes("SELECT coalesce(($openings), 0) > $opened AND (SELECT until - now() > interval '10 s' FROM automation.breaker)", 'tries, and opens it for longer than at first');
$server->ask("SELECT automation.alter_channel('broken', '{\"base_url\": \"$url\"}')");
becomes(q{SELECT count(*) = 8 FROM automation.deliveries WHERE channel = 'broken' AND state = 'delivered'}, 'once it answers, all is sent');
is($server->ask(q{SELECT state FROM automation.channels WHERE name = 'broken'}), 'active', 'and it is closed');

$server->stop;
done_testing();
