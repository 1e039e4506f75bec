# A server that was recovered to a chosen point has forgotten what came after it, and others have not: it waits to be
# adopted. One that was recovered to the end of the WAL has forgotten nothing, and goes on.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', wal_level => 'replica', max_wal_senders => 5, 'pg_automation.databases' => 'none');
$server->enable_archiving;
$server->restart;
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->backup('sunday');
$server->ask('INSERT INTO job VALUES (1)');
$server->ask("SELECT pg_create_restore_point('monday')");
my $moment = $server->ask('SELECT clock_timestamp()');
$server->append_conf('postgresql.conf', "pg_automation.databases = ''");
$server->reload;
$server->tells('1 tell delivered, 1 remind delivered', 'what was under way at the point is sent later');
$server->ask('INSERT INTO job VALUES (2)');
$server->tells('1 tell delivered, 1 remind delivered, 2 tell delivered, 2 remind delivered', 'and more');
$server->ask('SELECT pg_switch_wal()');
$server->stop;

sub recovered
{
	my ($name, @conf) = @_;
	my $other = Server->new($name);
	$other->init_from_backup($server, 'sunday', has_restoring => 1, standby => 0);
	$other->append_conf('postgresql.conf', $_) for 'archive_mode = off', "pg_automation.databases = ''", "recovery_target_action = 'promote'", @conf;
	$other->start;
	$other->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	$other->worker('postgres');
	return $other;
}

my $before = $web->received;
for my $case (
	[ 'point', "recovery_target_name = 'monday'", 'at restore point "monday"' ],
	[ 'time', "recovery_target_time = '$moment'", 'before \S+ \S+' ],
	[ 'backup', "recovery_target = 'immediate'", 'reached consistency' ])
{
	my ($name, $target, $reason) = @$case;
	my $other = recovered($name, $target);
	like($other->finding('home'), qr/^It was recovered to a chosen point: $reason\. What it holds may have been done and sent since\.$/,
		"$name: check() says why it waits");
	$other->ask('INSERT INTO job VALUES (7)');
	is($other->told, ($name eq 'backup' ? '' : '1 tell held, 1 remind waiting, ') . '7 tell held, 7 remind waiting', "$name: all is held");
	is(scalar $web->received, $before, "$name: nothing has left");
	if ($name eq 'point')
	{
		$other->ask("SELECT automation.adopt('resume')");
		$other->tells('1 tell delivered, 1 remind delivered, 7 tell delivered, 7 remind delivered', 'adopted, it goes on with what it had');
		$other->restart;
		is($other->finding('home'), '', 'for good');
		$before = $web->received;
	}
	$other->stop;
}

my $other = recovered('end');
is($other->finding('home'), '', 'recovered to the end of the WAL it is at home');
$other->ask('INSERT INTO job VALUES (7)');
$other->tells('1 tell delivered, 1 remind delivered, 2 tell delivered, 2 remind delivered, 7 tell delivered, 7 remind delivered',
	'nothing is lost, and it goes on');
is(scalar $web->received, $before + 2, 'what had been sent is not sent again');
$other->stop;
done_testing();
