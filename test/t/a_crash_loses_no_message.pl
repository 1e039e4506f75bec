# Whatever is killed, and whenever: what was committed is delivered within seconds of the restart, what was
# not is never heard of, and nothing is sent twice but what was under way at the crash. Of that an SMS is
# held, as sending it again could send it twice.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $server = Server->begin('main', restart_after_crash => 'on', max_prepared_transactions => 5);
$server->install('postgres', $web);

# The web server takes its time to answer, so that each crash finds messages under way.
sub delay_texts { return $server->ask("ALTER SERVER twilio OPTIONS (SET base_url 'http://127.0.0.1:@{[ $web->port ]}/delay/$_[0]')") }
delay_texts(500);
$server->ask(<<"END");
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, delay integer NOT NULL, phone text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[
		automation.send_webhook('hook', '/delay/{{ delay }}', '{"job": "{{ id }}"}'),
		automation.only_if('new.phone IS NOT NULL', automation.send_sms('twilio', '{{ phone }}', '{{ id }}'))]);
END

sub insert { return "INSERT INTO job (delay, phone) VALUES ($_[0], $_[1])" }

# What the web server has received of one job: webhooks and text messages.
sub received_of
{
	my ($job) = @_;
	my @received = $web->received;
	return (
		[ grep { $_->{json} && $_->{json}{job} == $job } @received ],
		[ grep { $_->{form} && $_->{form}{Body} == $job } @received ]);
}

sub all_is_delivered
{
	my ($when) = @_;
	my $begin = time;
	$server->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM automation.deliveries WHERE state IN ('ready', 'delivering', 'retrying')");
	cmp_ok(time - $begin, '<', 10, "$when, all is delivered within 10 s");
	return;
}

sub states_of
{
	my ($job) = @_;
	return $server->ask(<<"END");
		SELECT d.kind, d.state, string_agg(a.outcome, ' then ' ORDER BY a.number)
		FROM automation.deliveries AS d
		JOIN automation.run AS r ON r.id = d.run_id
		LEFT JOIN automation.attempts AS a ON a.delivery_id = d.id
		WHERE r.key = '$job' GROUP BY d.id, d.kind, d.state ORDER BY d.id
END
}

# Between COMMIT and delivery: the worker is stopped, so nobody has seen the message.
my $worker = $server->worker('postgres');
kill 'STOP', $worker;
my $unseen = $server->ask(insert(0, "'+12025550199'") . ' RETURNING id');
is_deeply([ $web->received ], [], 'a stopped worker sends nothing');
$server->crash(sub { kill 'KILL', $worker });
all_is_delivered('when the worker is killed after a COMMIT');
is(states_of($unseen), "webhook|delivered|delivered\nsms|delivered|delivered", 'at the first attempt');

# Between the first byte and the answer.
delay_texts(3000);
my $under_way = $server->ask(insert(3000, "'+12025550199'") . ' RETURNING id');
$web->wait_for(4);
$worker = $server->worker('postgres');
$server->crash(sub { kill 'KILL', $worker });
all_is_delivered('when the worker is killed while it waits for an answer');
is(states_of($under_way), "webhook|delivered|unknown then delivered\nsms|unknown|unknown",
	'the webhook is sent again, the SMS is held');
my ($webhooks, $texts) = received_of($under_way);
is(scalar @$texts, 1, 'and was sent once');
my @ids = map { my %headers = map { lc $_->[0] => $_->[1] } @{ $_->{headers} }; $headers{'webhook-id'} } @$webhooks;
is(scalar @ids, 2, 'the webhook twice');
is($ids[0], $ids[1], 'with one id');
$server->log_check('the log tells of the SMS', 0,
	log_like => [qr/WARNING:  1 messages were in flight when the last worker ended and are held/]);
$server->ask("SELECT automation.retry(id) FROM automation.deliveries WHERE state = 'unknown'");
all_is_delivered('when somebody says so');
is(states_of($under_way), "webhook|delivered|unknown then delivered\nsms|delivered|unknown then delivered",
	'a held SMS is sent again');
delay_texts(500);

# Two-phase commit, across an immediate stop. What is sent meanwhile shows that the worker looks.
sub sent_since { return scalar($web->received) - $_[0] }
$server->ask("BEGIN; @{[ insert(0, 'NULL') ]}; PREPARE TRANSACTION '$_'") for qw(kept dropped later never);
my $before = $web->received;
$server->ask(insert(0, 'NULL'));
all_is_delivered('while transactions are prepared');
is(sent_since($before), 1, 'what they wrote is not sent');
$server->ask("COMMIT PREPARED 'kept'");
$server->ask("ROLLBACK PREPARED 'dropped'");
all_is_delivered('after COMMIT PREPARED');
is(sent_since($before), 2, 'what is committed so is sent, what is rolled back is not');
$server->stop('immediate');
$server->start;
$server->ask(insert(0, 'NULL'));
all_is_delivered('after an immediate stop');
is(sent_since($before), 3, 'what is still prepared is not sent');
$server->ask("COMMIT PREPARED 'later'");
$server->ask("ROLLBACK PREPARED 'never'");
all_is_delivered('after COMMIT PREPARED by a server that was restarted');
is(sent_since($before), 4, 'what was prepared survives the restart');

# Blows while four write, and change their minds.
my $script = "$ENV{TESTDIR}/writer.sql";
append_to_file($script, <<'END');
\set delay random(0, 300)
\set dice random(1, 5)
INSERT INTO job (delay, phone) VALUES (:delay, CASE :dice WHEN 1 THEN '+12025550199' END);
BEGIN;
INSERT INTO job (delay) VALUES (:delay);
SAVEPOINT doubt;
INSERT INTO job (delay) VALUES (:delay);
ROLLBACK TO doubt;
COMMIT;
BEGIN;
INSERT INTO job (delay) VALUES (:delay);
ROLLBACK;
END

my %blow = (
	worker => sub { my $pid = $server->worker('postgres'); $server->crash(sub { kill 'KILL', $pid }) },
	writer => sub {
		my $pid = $server->ask(
			"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1");
		$server->crash(sub { kill 'KILL', $pid });
	},
	server => sub { $server->stop('immediate'); $server->start });
for my $victim ((sort keys %blow) x 2)
{
	my $so_far  = $web->received;
	my $written = '';
	my $writers = IPC::Run::start(
		[ 'pgbench', '-n', '-c', 4, '-R', 60, '-t', 300, '-f', $script, $server->connstr('postgres') ],
		'>', \$written, '2>', \$written);
	$web->wait_for($so_far + 100);
	$blow{$victim}->();
	all_is_delivered("when the $victim is killed under writers");
	$writers->finish;
}

# The books balance.
is($server->ask('SELECT count(*) FROM job AS j FULL JOIN automation.run AS r ON r.key = j.id::text WHERE j.id IS NULL OR r.id IS NULL'),
	0, 'a run for each job, and a job for each run');
is($server->ask('SELECT count(*) - count(DISTINCT key) FROM automation.run'), 0, 'and one only');

my (%webhooks, %texts);
for my $message ($web->received)
{
	$webhooks{ $message->{json}{job} }++ if $message->{json};
	$texts{ $message->{form}{Body} }++   if $message->{form};
}
my (@astray, $under_way_at_a_crash);
for my $line (split /\n/, $server->ask(<<'END'))
	-- One that was given back unsent does not count.
	SELECT r.key, d.kind, d.state, count(*) FILTER (WHERE a.outcome = 'unknown' OR a.status_code IS NOT NULL), count(*) FILTER (WHERE a.outcome = 'unknown')
	FROM automation.run AS r
	JOIN automation.deliveries AS d ON d.run_id = r.id
	JOIN automation.attempts AS a ON a.delivery_id = d.id
	GROUP BY r.key, d.id, d.kind, d.state
END
{
	my ($job, $kind, $state, $attempts, $unknown) = split /\|/, $line;
	my $arrived = delete(($kind eq 'sms' ? \%texts : \%webhooks)->{$job}) // 0;
	my $sent = $attempts - $unknown; # known to have been
	push @astray, "$line arrived $arrived times" unless $arrived >= $sent && $arrived <= $attempts;
	push @astray, "$line" unless $state eq ($kind eq 'sms' && $attempts == $unknown ? 'unknown' : 'delivered');
	push @astray, "$line" if $kind eq 'sms' && $arrived > 1 && $job != $under_way;
	$under_way_at_a_crash += $unknown;
}
is_deeply(\@astray, [], 'each message has arrived, and as often as its attempts say');
is_deeply([ %webhooks, %texts ], [], 'none that nobody sent');
cmp_ok($under_way_at_a_crash, '>', 2, "$under_way_at_a_crash were under way at a crash");

$server->stop;
done_testing();
