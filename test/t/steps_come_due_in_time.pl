# Steps are taken within a second of their time while the server runs, made up for after an outage, once; by the
# worker alone and by pg_cron alone; and check() says what is missing. Real time, real servers.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep time);

my $web    = Sink->start('http');
my $mail   = Sink->start('smtp');
my $server = Server->begin('main', shared_preload_libraries => 'pg_automation');
$server->install('postgres', $web);
$server->ask(<<"END");
	CREATE SERVER mail FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:@{[ $mail->port ]}', sender 'office\@firm.example', starttls 'off');
	CREATE TABLE deal (id integer PRIMARY KEY, stage text, due integer);
	SELECT automation.attach('deal', 'deal', '{"status": "stage"}');
	SELECT automation.create_rule('due', 'deal', 'status_entered', '{"to": "Due"}', activate => true, steps => ARRAY[
		automation.after('2 seconds', automation.notify('log', 'done'))]);
END

sub check { return $server->ask("SELECT ok || ' ' || detail || coalesce(' HINT: ' || hint, '') FROM automation.check() WHERE \"check\" = '$_[0]'") }

# How many seconds late each row's step was taken.
sub lateness
{
	my ($condition) = @_;
	return split /\n/, $server->ask(<<"END");
		SELECT extract(epoch FROM n.at - u.at - interval '2 s')
		FROM automation.run AS u JOIN automation.notification AS n ON n.run_id = u.id WHERE u.key::integer $condition ORDER BY 1
END
}

sub all_is_done
{
	my ($seconds) = @_;
	my $end = time + $seconds;
	until ($server->ask('SELECT count(*) FROM automation.pending') == 0)
	{
		return 0 if time > $end;
		sleep 0.05;
	}
	return 1;
}

# The worker alone
$server->worker('postgres');
$server->ask("INSERT INTO deal (id, stage) VALUES ($_, 'Due')"), sleep 0.3 for 1 .. 5;
ok(all_is_done(10), 'the worker takes steps by itself');
my @late = lateness('<= 5');
is(scalar @late, 5, 'each once');
cmp_ok($late[0], '>=', 0, 'not before their time');
cmp_ok($late[-1], '<', 1, 'and within a second of it');

# Nothing to do
my $transactions = q{SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()};
my $before       = $server->ask("SELECT pg_sleep(1); $transactions") =~ s/^\n//r;
cmp_ok(($server->ask("SELECT pg_sleep(4); $transactions") =~ s/^\n//r) - $before, '<', 25, 'when nothing is planned the worker rests');

# An outage
$server->ask("INSERT INTO deal (id, stage) VALUES (11, 'Due'), (12, 'Due')");
$server->ask("INSERT INTO deal (id, stage) VALUES (13, 'Due')");
$server->stop('immediate');
sleep 3;
$server->start;
ok(all_is_done(15), 'what came due while the server was down is made up for');
is(scalar(lateness('BETWEEN 11 AND 13')), 3, 'once');

# A date before all others
$server->ask(<<'END');
	ALTER TABLE deal ADD closes timestamptz;
	SELECT automation.create_rule('closed', 'deal', 'date_passed', '{"field": "closes"}', activate => true, steps => ARRAY[automation.notify('log', 'closed')]);
	INSERT INTO deal (id, closes) VALUES (15, '-infinity'), (16, '2020-01-01'), (17, 'infinity');
END
ok(all_is_done(5), 'what is due since ever is done');
is($server->ask(q{SELECT string_agg(key, ',' ORDER BY key) FROM automation.run WHERE key IN ('15', '16', '17')}), '15,16', 'and what is never due is not');

# Two e-mails and a text message in a stage, unless somebody changes it
$server->ask(<<'END');
	SELECT automation.create_rule('sequence', 'deal', 'status_entered', '{"to": "Not assigned"}', activate => true, steps => ARRAY[
		automation.after('1 second', automation.send_email('mail', 'boss@firm.example', 'first {{ id }}', 'x'), cancel_if_changed => '{stage}'),
		automation.after('2 seconds', automation.send_email('mail', 'boss@firm.example', 'second {{ id }}', 'x'), cancel_if_changed => '{stage}'),
		automation.after('4 seconds', automation.send_sms('twilio', '+12025550199', 'third {{ id }}'), cancel_if_changed => '{stage}')])
END
my $begin = time;
$server->ask("INSERT INTO deal (id, stage) VALUES (21, 'Not assigned'), (22, 'Not assigned')");
$mail->wait_for(4);
cmp_ok(time - $begin, '<', 4, 'e-mails leave in time');
$server->ask(q{UPDATE deal SET stage = 'Quotation' WHERE id = 22});
my @texts = $web->wait_for(1);
cmp_ok(time - $begin, '<', 7, 'so does the text message');
ok(all_is_done(5), 'nothing is left');
is_deeply([ map { $_->{form}{Body} } $web->received ], ['third 21'], 'one for the deal that is still in its stage');
like($server->ask(q{SELECT reason FROM automation.step_log WHERE key = '22' AND step = 3}),
	qr/^field stage changed Not assigned→Quotation at .* by \S+$/, 'the log says why the other one got none');
is(scalar($mail->received), 4, 'and no e-mail is sent twice');

# Without the preload nobody is there to be woken, which stops no verb: whoever ticks does what is due.
$server->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$server->restart;
$server->ask(<<'END');
	INSERT INTO deal (id, stage) VALUES (25, 'Due'), (26, 'Due');
	SELECT automation.stop_item('deal', '25', 'due');
	SELECT automation.resume_item('deal', '25', 'due', on_overdue => 'run');
	SELECT automation.pause_rule('due');
	SELECT automation.resume_rule('due', on_overdue => 'run');
	SELECT automation.cancel(id, 1) FROM automation.run WHERE key = '26';
	SELECT automation.create_rule('existing', 'deal', 'status_entered', '{"to": "Quotation"}', steps => ARRAY[automation.notify('log', 'existing')]);
	SELECT automation.activate_rule('existing', apply_to => 'all', rate => 100000);
END
sleep 2;
$server->ask('SELECT automation.tick()');
is($server->ask(q{SELECT string_agg(key || ' ' || status, ', ' ORDER BY u.key) FROM automation.execution_log AS u WHERE key IN ('25', '26') OR rule = 'existing'}),
	'22 succeeded, 25 succeeded, 26 cancelled', 'without the preload all verbs work, and so does tick()');
$server->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_automation'");
$server->restart;

# What check() says without pg_cron, and with it elsewhere
like(check('pg_cron'), qr/^f.* HINT: /, 'check() says that pg_cron is missing');

# pg_cron is among the packages that the tests install.
{
	$server->append_conf('postgresql.conf', <<'END');
		shared_preload_libraries = 'pg_cron,pg_automation'
		cron.database_name = 'template1'
END
	$server->restart;
	like(check('pg_cron'), qr/^f.*template1/, 'or in another database');

	# pg_cron alone: the worker is kept away.
	$server->append_conf('postgresql.conf', <<'END');
		cron.database_name = 'postgres'
		cron.use_background_workers = on
		pg_automation.databases = 'template1'
END
	$server->restart;
	$server->ask('CREATE EXTENSION pg_cron');
	like(check('pg_cron'), qr/^f.*schedule_jobs/, 'or has no job');
	$server->ask('SELECT automation.schedule_jobs()');
	is($server->ask(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_automation worker' AND datname = 'postgres'}), 0, 'no worker');
	$server->ask("INSERT INTO deal (id, stage) VALUES (31, 'Due'), (32, 'Due')");
	ok(all_is_done(75), 'pg_cron alone takes steps, within a minute');
	is(scalar(lateness('>= 31')), 2, 'each once');
	like(check('pg_cron'), qr/^t/, 'and check() is content');
	$server->ask('SELECT automation.unschedule_jobs()');
	is($server->ask('SELECT count(*) FROM cron.job'), 0, 'its jobs can be taken away');
}

$server->stop;
done_testing();
