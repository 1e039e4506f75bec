# Channels that hang, wherever they do, hold back nothing that goes through another, not even to the
# same host; and the worker can end while they do.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $mail   = Sink->start('smtp');
my $server = Server->begin('main', 'pg_automation.request_timeout' => '20s');
$server->install('postgres', $web);
$server->ask(<<"END");
	CREATE SERVER stuck FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://127.0.0.1:@{[ $web->port ]}/delay/15000');
	CREATE SERVER mail FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:@{[ $mail->port ]}', sender 'office\@firm.example', starttls 'off');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text, recipient text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule('mail', 'job', 'created', condition => 'new.channel = \$\$mail\$\$', activate => true,
		steps => ARRAY[automation.send_email('mail', '{{ recipient }}', 'Hi', 'Hi')]);
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.channel = %L', name), activate => true,
		steps => ARRAY[automation.send_webhook(name)]) FROM unnest('{hook,stuck}'::text[]) AS name;
END

sub enqueue
{
	my ($count, $channel, $recipient) = @_;
	$server->ask("INSERT INTO job (channel, recipient) SELECT '$channel', '$recipient' FROM generate_series(1, $count)");
	return;
}

# The longest that one of so many webhooks took, from the commit to the answer; in ms.
sub longest_of_webhooks
{
	my ($count) = @_;
	my $before = $server->ask('SELECT coalesce(max(id), 0) FROM automation.delivery');
	for (1 .. $count) { enqueue(1, 'hook', '') }
	my $these = "FROM automation.attempts AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.id > $before AND d.channel = 'hook'";
	$server->poll_query_until('postgres', "SELECT count(*) = $count $these AND a.outcome = 'delivered'") or die 'not delivered';
	return $server->ask("SELECT round(max(extract(epoch FROM a.finished_at - d.at) * 1000)) $these");
}

my $alone = longest_of_webhooks(30);
enqueue(200, 'stuck', '');
enqueue(5, 'mail', 'delay8000@x.example'); # each answers the message late
enqueue(5, 'mail', 'ann@x.example');
my $mails = "FROM automation.deliveries WHERE channel = 'mail' AND state = 'delivered'";
$server->poll_query_until('postgres', "SELECT count(*) = 5 $mails") or die 'no mail';
is($server->ask("SELECT count(*) FROM automation.deliveries WHERE channel = 'mail' AND state = 'delivering'"), 5,
	'mails that are answered go past those that are not');
my $beside = longest_of_webhooks(30);
cmp_ok($beside, '<', 1000, "webhooks take $beside ms at most while others hang, $alone ms alone");
cmp_ok($server->ask("SELECT count(*) FROM automation.deliveries WHERE channel = 'stuck' AND state = 'delivering'"), '>', 10, 'which they do');

# One endpoint of a hundred hangs: 99 channels beside it, on another host, as fast as without it. Loads of the machine come and
# go, so rounds with and without take turns, and of each the best one counts.
$server->ask(<<"END");
	SELECT automation.create_channel('end' || n, 'webhook', '{"base_url": "http://localhost:@{[ $web->port ]}/delay/50", "breaker_failures": "0"}')
	FROM generate_series(1, 99) AS n;
	CREATE TABLE ping (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer);
	SELECT automation.attach('ping', 'ping');
	SELECT automation.create_rule('ping ' || n, 'ping', 'created', condition => format('new.n = %s', n), activate => true,
		steps => ARRAY[automation.send_webhook('end' || n)]) FROM generate_series(1, 99) AS n;
	SELECT automation.pause_channel('stuck');
END

# The 99th percentile of the time that a message takes from the write to the answer, in ms.
sub percentile
{
	my $before = $server->ask('SELECT max(id) FROM automation.delivery');
	for (1 .. 4) { $server->ask('INSERT INTO ping (n) SELECT n FROM generate_series(1, 99) AS n') }
	my $these = "FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.id > $before AND d.channel LIKE 'end%'";
	$server->poll_query_until('postgres', "SELECT count(*) = 396 $these AND a.outcome = 'delivered'") or die 'not delivered';
	return $server->ask("SELECT round((percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM a.finished_at - d.at) * 1000))::numeric, 1) $these");
}
my $hanging = "FROM automation.deliveries WHERE channel = 'stuck' AND state = 'delivering'";
sub without
{
	$server->ask(q{SELECT automation.pause_channel('stuck')});
	$server->poll_query_until('postgres', "SELECT count(*) = 0 $hanging") or die 'still hanging';
	return percentile();
}
sub with
{
	enqueue(50, 'stuck', '');
	$server->ask(q{SELECT automation.resume_channel('stuck')});
	$server->poll_query_until('postgres', "SELECT count(*) > 10 $hanging") or die 'nothing hangs';
	return percentile();
}
sub least { my ($least) = sort { $a <=> $b } @_; return $least }
my (@without, @with);
for my $round (1 .. 4)
{
	push @without, without();
	push @with,    with();
	last if least(@with) <= 1.2 * least(@without);
}
note("p99 without: @without ms; with one of a hundred that hangs: @with ms");
cmp_ok(least(@with), '<=', 1.2 * least(@without), 'one endpoint of a hundred that hangs: the 99th percentile of the others stays within a fifth');
cmp_ok($server->ask("SELECT count(*) $hanging"), '>', 10, 'and it hangs still');

# The end does not wait for them.
my $worker = $server->worker('postgres');
my $begin  = time;
$server->ask("SELECT pg_terminate_backend($worker, 15000)");
cmp_ok(time - $begin, '<', 12, 'the worker ends while they hang');
isnt($server->worker('postgres'), $worker, 'and another one comes');
$server->stop;
ok(!$server->log_contains(qr/terminated by signal/), 'without a crash');

done_testing();
