# Emergencies go before transactional messages, and these before marketing: through one channel with a
# backlog, and where marketing of all channels has taken the places that it may have.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', 'pg_automation.max_in_flight' => '16', 'pg_automation.request_timeout' => '60s', 'pg_automation.poll_interval' => '3s');
$server->install('postgres', $web);
my $url = 'http://127.0.0.1:' . $web->port;
$server->ask(<<"END");
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text, class text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_channel('slow', 'webhook', '{"base_url": "$url", "rate_limit": "10/s"}');
	SELECT automation.create_channel('stuck' || n, 'webhook', '{"base_url": "$url/delay/45000"}') FROM generate_series(1, 5) AS n;
	SELECT automation.create_channel(name, 'webhook', '{"base_url": "$url"}') FROM unnest('{fresh,calm}'::text[]) AS name;
	SELECT automation.create_rule(channel || ' ' || class, 'job', 'created',
		condition => format('new.channel = %L AND new.class = %L', channel, class), activate => true,
		steps => ARRAY[automation.send_webhook(channel, '/' || class, options => jsonb_build_object('class', class))])
	FROM unnest('{slow,stuck1,stuck2,stuck3,stuck4,stuck5,fresh,calm}'::text[]) AS channel, unnest('{marketing,transactional,emergency}'::text[]) AS class;
END

sub enqueue
{
	my ($count, $channel, $class) = @_;
	$server->ask("INSERT INTO job (channel, class) SELECT '$channel', '$class' FROM generate_series(1, $count)");
	return;
}

sub becomes
{
	my ($query, $name) = @_;
	ok($server->poll_query_until('postgres', $query), $name);
	return;
}

# How many messages of the other class began after the first of this one was written, and before the last of it.
sub overtook
{
	my ($class, $other) = @_;
	my $of = q{FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id JOIN automation.run AS u ON u.id = d.run_id WHERE d.channel = 'slow' AND d.message ->> 'class' =};
	return $server->ask("SELECT count(*) $of '$other' AND a.started_at BETWEEN (SELECT min(d.at) $of '$class') + interval '1.5 s' AND (SELECT max(a.started_at) $of '$class')");
}

# The first of its class, when all has been quiet since the worker last looked by itself.
$server->ask('SELECT automation._wake_worker()');
sleep 4;
enqueue(1, 'calm', 'emergency');
my $first = q{FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.channel = 'calm'};
becomes("SELECT count(*) = 1 $first", 'an emergency leaves');
cmp_ok($server->ask("SELECT extract(epoch FROM a.started_at - d.at) $first"), '<', 1, 'at once, though it is the first of its class');

# And when somebody calls in vain, before it and after it.
$server->ask('SELECT automation._wake_worker()') for 1 .. 10;
enqueue(1, 'calm', 'marketing');
sleep 2;
$server->ask('SELECT automation._wake_worker()');
$first .= q{ AND d.message ->> 'class' = 'marketing'};
becomes("SELECT count(*) = 1 $first", 'marketing leaves');
cmp_ok($server->ask("SELECT extract(epoch FROM a.started_at - d.at) $first"), '<', 4, 'as soon as the worker looks by itself');
$server->append_conf('postgresql.conf', "pg_automation.poll_interval = '1s'");
$server->reload;

# One channel, at its rate.
enqueue(80, 'slow', 'marketing');
becomes(q{SELECT count(*) > 0 FROM automation.deliveries WHERE channel = 'slow' AND state = 'delivered'}, 'marketing leaves while there is nothing else');
enqueue(20, 'slow', 'transactional');
enqueue(10, 'slow', 'emergency');
becomes(q{SELECT count(*) = 10 FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.channel = 'slow' AND d.message ->> 'class' = 'emergency' AND a.outcome = 'delivered'},
	'emergencies leave');
cmp_ok($server->ask(q{SELECT count(*) FROM automation.deliveries WHERE channel = 'slow' AND state = 'ready'}), '>', 40, 'while the backlog waits');
is($server->ask(q{SELECT DISTINCT reason FROM automation.deliveries WHERE channel = 'slow' AND state = 'ready'}), 'channel is at its rate limit', 'which says for what');
becomes(q{SELECT count(*) = 110 FROM automation.deliveries WHERE channel = 'slow' AND state = 'delivered'}, 'and leaves after all');
is(overtook('emergency', 'marketing'),     0, 'no marketing before an emergency');
is(overtook('emergency', 'transactional'), 0, 'nothing else either');
is(overtook('transactional', 'marketing'), 0, 'and no marketing before a transactional message');
is($server->ask(q{SELECT count(*) FROM automation.delivery AS d WHERE d.channel = 'slow' AND (SELECT count(*) FROM automation.attempt AS a WHERE a.delivery_id = d.id) <> 1}),
	0, 'each is sent once');

# All channels: marketing that hangs leaves half of the places.
enqueue(50, "stuck$_", 'marketing') for 1 .. 5;
becomes(q{SELECT count(*) = 8 FROM automation.deliveries WHERE state = 'delivering'}, 'marketing takes half of the places');
enqueue(5, "stuck$_", 'transactional') for 1 .. 5;
becomes(q{SELECT count(*) >= 14 FROM automation.deliveries WHERE state = 'delivering'}, 'transactional messages all but one of the rest');
enqueue(1, 'fresh', 'emergency');
becomes(q{SELECT count(*) = 1 FROM automation.deliveries WHERE channel = 'fresh' AND state = 'delivered'}, 'and an emergency finds a place');
cmp_ok($server->ask(q{SELECT count(*) FROM automation.deliveries WHERE state = 'delivering'}), '<=', 16, 'and the limit holds');

$server->stop('immediate');
done_testing();
