# Where there is no room for data, writes fail as a whole, and the worker waits; where there is none for WAL, the server
# stops. Either way, once there is room again, all that was committed is delivered, once, and nothing else.
use strict;
use warnings;
use Test::More;

# Small file systems of our own, without being root. Before anything else: PostgreSQL's modules take standard output away.
BEGIN
{
	my @apart = qw(unshare --user --keep-caps --map-current-user --mount);
	if (!$ENV{AUTOMATION_APART})
	{
		plan skip_all => 'file systems of our own are not to be had: ' . join ' ', @apart
		  if system(join(' ', @apart, 'mount -t tmpfs tmpfs /tmp') . ' 2>/dev/null') != 0;
		$ENV{AUTOMATION_APART} = 1;
		exec @apart, $^X, map({ "-I$_" } @INC), $0 or die $!;
	}
}
use PostgreSQL::Test::Utils;
use Server;
use Sink;

sub file_system
{
	my ($name, $size) = @_;
	my $place = "$ENV{TESTDIR}/$name";
	mkdir $place or die "$place: $!";
	system_or_bail('mount', '-t', 'tmpfs', '-o', "size=$size,mode=700", 'tmpfs', $place);
	return $place;
}

sub fill
{
	my ($place) = @_;
	open my $file, '>', "$place/filler" or die $!;
	$file->autoflush;
	1 while syswrite $file, 'x' x 8192;
	return close $file;
}

my $web    = Sink->start('http');
my $server = Server->begin('main', restart_after_crash => 'on', max_wal_size => '32MB', min_wal_size => '32MB',
	'pg_automation.delivery' => 'off', 'pg_automation.max_events_per_transaction' => 0);
my $few    = 3000;

# Data: a database on a small disk.
my $data = file_system('data', '48m');
mkdir "$data/space" or die $!;
$server->ask("CREATE TABLESPACE small LOCATION '$data/space'");
$server->ask('CREATE DATABASE crm TABLESPACE small');
$server->install('crm', $web);
$server->tell_of_jobs('crm');
$server->safe_psql('crm', "SELECT automation.drop_rule('remind')");
$server->safe_psql('crm', "INSERT INTO job SELECT i FROM generate_series(1, $few) AS i; CHECKPOINT");
fill($data);
$server->append_conf('postgresql.conf', 'pg_automation.delivery = on');
my $log = -s $server->logfile;
$server->reload;
$server->wait_for_log(qr/WARNING:  could not extend file .*No space left on device/, $log);
my $refusal = '';
for my $job ($few + 1 .. $few + 30)
{
	my (undef, undef, $error) = $server->psql('crm', "INSERT INTO job SELECT generate_series($job, $job + 30000, 30)");
	$refusal = $error if $error;
}
like($refusal, qr/ERROR:  could not extend file .*No space left on device/, 'where the disk is full a write is refused');
is($server->safe_psql('crm', 'SELECT count(*) FROM job AS j FULL JOIN automation.run AS r ON r.key = j.id::text WHERE j.id IS NULL OR r.id IS NULL'),
	0, 'as a whole');
unlink "$data/filler";
ok($server->poll_query_until('crm', "SELECT count(*) = (SELECT count(*) FROM job) AND bool_and(state = 'delivered') FROM automation.deliveries"),
	'once there is room, all is delivered');
my %arrived;
$arrived{ $_->{json}{job} }++ for $web->received;
is(scalar keys %arrived, $server->safe_psql('crm', 'SELECT count(*) FROM job'), 'each of what was committed');
is_deeply([ grep { $arrived{$_} > 1 } keys %arrived ], [], 'once');

# WAL: the whole server.
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask("SELECT automation.drop_rule('remind')");
$server->stop;
my $wal  = file_system('wal', '128m');
my $home = $server->data_dir . '/pg_wal';
system_or_bail('cp', '-a', "$home/.", $wal);
system_or_bail('mv', $home, "$home.before");
symlink $wal, $home or die $!;
$server->start;
$server->worker('postgres');
fill($wal);
my $job = 1_000_000;
$log = -s $server->logfile;
for (1 .. 50)
{
	my ($status) = $server->psql('postgres', 'INSERT INTO job SELECT generate_series(' . ($job + 1) . ', ' . ($job + 20) . '); SELECT pg_switch_wal()');
	$job += 20;
	last if $status != 0;
}
$server->wait_for_log(qr/PANIC:  could not write to file "pg_wal/, $log);
unlink "$wal/filler";
system_log('pg_ctl', '-D', $server->data_dir, '-m', 'immediate', 'stop');
$server->{_pid} = undef;
$server->start;
ok($server->poll_query_until('postgres', "SELECT count(*) = (SELECT count(*) FROM job) AND bool_and(state = 'delivered') FROM automation.deliveries"),
	'after a PANIC for want of room for WAL, and with room, all is delivered');
%arrived = ();
$arrived{ $_->{json}{job} }++ for $web->received;
my %jobs = map { $_ => 1 } split /\n/, $server->ask('SELECT id FROM job');
is_deeply([ grep { $_ > 1_000_000 && !$jobs{$_} } keys %arrived ], [], 'of what was committed');
is_deeply([ grep { !$arrived{$_} } keys %jobs ], [], 'nothing is missing');
$server->stop;
done_testing();
