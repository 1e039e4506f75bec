# A standby sends nothing and is read as its primary is. Promoted, it goes on at once: what was to be sent is sent,
# what was under way when the primary was lost is what it is after a crash, and what is planned is done.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep time);

my $web    = Sink->start('http');
my $server = Server->begin('main', wal_level => 'replica', max_wal_senders => 5, wal_keep_size => '64MB');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->backup('start');
my $standby = Server->new('standby');
$standby->init_from_backup($server, 'start', has_streaming => 1);
$standby->start;

$server->ask('INSERT INTO job (id, done) VALUES (1, true)');
$server->tells('1 tell delivered, 1 remind delivered', 'the primary sends');
$server->wait_for_catchup($standby);
is($standby->told, '1 tell delivered, 1 remind delivered', 'the standby tells of it');
is($standby->ask("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_automation%'"), 0, 'and has no worker');
is($standby->finding('home'), '', 'nor anything to adopt');
my (undef, undef, $refusal) = $standby->psql('postgres', "SELECT automation.pause_channel('hook')");
like($refusal, qr/cannot execute \w+ in a read-only transaction/, 'what would change something is refused');

# Under way, waiting for the worker, and planned: and then there is no primary any more.
my $of_job = 'FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id';
$server->ask("INSERT INTO job (id, number) VALUES (2, 60000)");
$server->ask("ALTER SERVER twilio OPTIONS (SET base_url 'http://127.0.0.1:@{[ $web->port ]}/delay/60000')");
$server->ask("INSERT INTO job VALUES (3, '+12025550199')");
$server->poll_query_until('postgres', "SELECT count(*) >= 1 $of_job WHERE r.key = '3' AND d.kind = 'webhook' AND d.state = 'delivered'");
sleep 0.05 until 2 == grep { ($_->{json} && ($_->{json}{job} // 0) == 2) || $_->{form} } $web->received;
my $worker = $server->worker('postgres');
kill 'STOP', $worker;
$server->ask('INSERT INTO job VALUES (4)');
$server->wait_for_catchup($standby);
$server->kill9;
kill 'KILL', $worker;

my $begin = time;
$standby->promote;
$standby->ask("ALTER SERVER twilio OPTIONS (SET base_url 'http://127.0.0.1:@{[ $web->port ]}')");
$standby->poll_query_until('postgres', "SELECT count(*) = 2 $of_job WHERE r.key = '4' AND d.state = 'delivered'");
cmp_ok(time - $begin, '<', 10, 'within seconds after the promotion');
$standby->ask('INSERT INTO job VALUES (5)');
$standby->poll_query_until('postgres', "SELECT count(*) = 2 $of_job WHERE r.key = '5' AND d.state = 'delivered'");
is($standby->finding('home'), '', 'nobody has to adopt it');
is($standby->ask(<<'END'), "webhook|2|unknown\nsms|3|unknown", 'what was under way is known to be in doubt');
	SELECT d.kind, r.key, a.outcome
	FROM automation.attempts AS a
	JOIN automation.deliveries AS d ON d.id = a.delivery_id
	JOIN automation.run AS r ON r.id = d.run_id
	WHERE a.outcome = 'unknown' ORDER BY a.id
END
is($standby->ask("SELECT string_agg(key, ' ' ORDER BY key) FROM automation.execution_log WHERE rule = 'remind' AND status = 'succeeded'"),
	'1 2 3 4 5', 'what was planned is done');
my (%webhooks, %late);
for my $message ($web->received)
{
	$late{ $message->{json}{late} }++     if $message->{json}{late};
	push @{ $webhooks{ $message->{json}{job} } }, map { $_->[1] } grep { lc $_->[0] eq 'webhook-id' } @{ $message->{headers} } if $message->{json}{job};
}
is_deeply([ map { "$_ " . @{ $webhooks{$_} } } sort keys %webhooks ], [ '1 1', '2 2', '3 1', '4 1', '5 1' ], 'only what was under way is sent again');
is($webhooks{2}[0], $webhooks{2}[1], 'with the same id');
is_deeply([ map { "$_ $late{$_}" } sort keys %late ], [ map { "$_ 1" } 1 .. 5 ], 'and nothing that is planned twice');
is(scalar(grep { $_->{form} && $_->{form}{Body} eq '3' } $web->received), 1, 'a text in doubt is held');

$standby->stop;
done_testing();
