# When and how often a message is tried, and when no more: as its channel says, and its step.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
	SELECT automation.attach('job', 'job');
	ALTER SERVER hook OPTIONS (ADD max_attempts '3', ADD retry_delay '50ms', ADD breaker_failures '0');
END

sub rule
{
	my ($name, $path, $options, $channel) = @_;
	$channel //= 'hook';
	my $step = $channel eq 'twilio' ? "send_sms('twilio', '+12025550199', 'x', '$options')" : "send_webhook('$channel', '$path', options => '$options')";
	$server->ask(<<"END");
		SELECT automation.create_rule('$name', 'job', 'created', condition => 'new.name = \$\$$name\$\$', activate => true,
			steps => ARRAY[automation.$step]);
		INSERT INTO job (name) VALUES ('$name');
END
	return;
}

# What has become of the message of that rule, once it has come to an end.
sub end_of
{
	my ($name) = @_;
	my $of = "FROM automation.deliveries WHERE rule = '$name'";
	$server->poll_query_until('postgres', "SELECT count(*) = 1 $of AND state NOT IN ('ready', 'delivering', 'retrying')") or die "no end of $name";
	return $server->ask("SELECT state, attempts, reason $of");
}

# The waits between its attempts, rounded.
sub waits_of
{
	my ($name) = @_;
	return $server->ask(<<"END");
		SELECT string_agg(round(extract(epoch FROM a.retry_at - a.finished_at) * 10)::text, ' ' ORDER BY a.number)
		FROM automation.attempts AS a JOIN automation.deliveries AS d ON d.id = a.delivery_id
		WHERE d.rule = '$name' AND a.retry_at IS NOT NULL
END
}

rule('channel', '/status/503/a', '{}');
is(end_of('channel'), 'dead|3|gave up after 3 attempts: HTTP 503', 'as often as the channel says');

rule('step', '/status/503/b', '{"max_attempts": 2}');
is(end_of('step'), 'dead|2|gave up after 2 attempts: HTTP 503', 'or the step');

rule('schedule', '/status/503/c', '{"retry_schedule": "0s, 1s, 100ms"}');
is(end_of('schedule'), 'dead|4|gave up after 4 attempts: HTTP 503', 'a schedule says how often');
like(waits_of('schedule'), qr/^0 (8|9|10|11|12) 1$/, 'and when, give or take a fifth');

rule('expires', '/status/503/d', '{"expires_after": "10s", "retry_schedule": "100ms, 3h, 3h"}');
is(end_of('expires'), 'expired|2|expires before the next attempt: HTTP 503', 'nothing waits for an attempt that comes too late');

$server->ask("SELECT automation.pause_channel('hook')");
rule('late', '/e', '{"expires_after": "200ms"}');
$server->ask("SELECT pg_sleep(0.3)");
$server->ask("SELECT automation.resume_channel('hook')");
is(end_of('late'), 'expired|0|too late to be sent', 'and none begins too late');
is((grep { $_->{path} eq '/e' } $web->received), 0, 'as the receiver knows');

rule('ahead', '/ahead', '{}');
is(end_of('ahead'), 'delivered|1|', 'over a connection that is kept');
my @again = map { rule("again $_", "/cut/again/$_", '{}'); end_of("again $_") } 1 .. 8;
is_deeply(\@again, [ ('delivered|1|') x 8 ], 'or in its place over another one, whenever the receiver has closed it');
rule('doubt', '/cut/unanswered/f', '{"on_unknown": "hold"}');
is(end_of('doubt'), 'unknown|1|sent, but no answer came: Empty reply from server', 'what is in doubt is held, where that was asked for');
is((grep { $_->{path} eq '/cut/unanswered/f' } $web->received), 1, 'and has left once, though a connection that is used again would have let libcurl repeat it');
$server->ask("ALTER SERVER twilio OPTIONS (SET base_url 'http://127.0.0.1:@{[ $web->port ]}/cut/unanswered', ADD on_unknown 'repeat', ADD max_attempts '2', ADD retry_delay '50ms')");
rule('texts', '', '{}', 'twilio');
is(end_of('texts'), 'unknown|2|gave up after 2 attempts: sent, but no answer came: Empty reply from server', 'an SMS is repeated where that was asked for');

$server->ask("SELECT automation.pause_channel('hook')");
rule('recalled', '/h', '{}');
$server->ask("SELECT automation.recall('recalled')");
is(end_of('recalled'), 'cancelled|0|recalled by ' . $server->ask('SELECT current_user'), 'what is recalled is over at once');
$server->ask("SELECT automation.resume_channel('hook')");
ok($server->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM automation.attempts WHERE outcome = 'cancelled' AND reason LIKE 'recalled%')"),
	'the worker cancels it when its turn comes');
is((grep { $_->{path} eq '/h' } $web->received), 0, 'and does not send it');

rule('tested', '/g', '{}');
is(end_of('tested'), 'delivered|1|', 'a rule sends');
$server->ask("SELECT automation.set_test_mode('tested'); DELETE FROM automation.delivery; INSERT INTO job (name) VALUES ('tested')");
is(end_of('tested'), 'simulated|0|test mode', 'in test mode its messages are made, and go no further');
$server->ask(q{SELECT automation.set_test_mode('tested', false); SELECT automation.replay('{"state": "simulated"}')});
$server->poll_query_until('postgres', 'SELECT count(*) = 2 FROM automation.attempts WHERE outcome = \'simulated\'');
is(end_of('tested'), 'simulated|0|test mode', 'not even when somebody sends them again');
is((grep { $_->{path} eq '/g' } $web->received), 1, 'the receiver has got the first alone');
$server->ask("SELECT automation.drop_rule('tested')");

$server->append_conf('postgresql.conf', "pg_automation.delivery = 'simulate'");
$server->reload;
$server->poll_query_until('postgres', "SELECT current_setting('pg_automation.delivery') = 'simulate'");
rule('simulated', '/g', '{}');
is(end_of('simulated'), 'simulated|0|pg_automation.delivery is simulate', 'a simulation ends messages as if they had left');
$server->append_conf('postgresql.conf', "pg_automation.delivery = 'on'");
$server->reload;
$server->poll_query_until('postgres', "SELECT current_setting('pg_automation.delivery') = 'on'");
is((grep { $_->{path} eq '/g' } $web->received), 1, 'and does not send them');
$server->ask(q{SELECT automation.replay('{"state": "simulated"}')});
is(end_of('simulated'), 'delivered|1|', 'but they can be sent then');

# Switched off, the worker sleeps, whatever comes due meanwhile.
rule('asleep', '/status/503/z', '{"retry_schedule": "2s, 1s"}');
$server->poll_query_until('postgres', "SELECT count(*) = 1 FROM automation.deliveries WHERE rule = 'asleep' AND state = 'retrying'");
$server->append_conf('postgresql.conf', "pg_automation.delivery = 'off'");
$server->reload;
$server->ask('SELECT pg_sleep(2.5)');
my $turns = $server->ask('SELECT turns FROM automation._worker_figures()');
$server->ask('SELECT pg_sleep(2)');
cmp_ok($server->ask('SELECT turns FROM automation._worker_figures()') - $turns, '<', 20, 'switched off, the worker does not turn for what is due');

$server->stop;
done_testing();
