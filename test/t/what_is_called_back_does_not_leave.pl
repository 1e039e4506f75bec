# Who calls a message back, or erases it, and the worker who is about to send it: one of them comes first, and the other one
# is told the truth. Neither waits for a transaction that somebody leaves open, nor do the messages of others.
use strict;
use warnings;
use Cwd ();
use IPC::Run ();
use PostgreSQL::Test::Utils qw(append_to_file system_or_bail);
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep);

system_or_bail('flock', 'test/faults/Makefile', 'make', '-s', '-C', 'test/faults');
my $web    = Sink->start('http');
my $server = Server->begin('main', shared_preload_libraries => 'pg_automation,' . Cwd::abs_path('test/faults/faults.so'));
$server->install('postgres', $web);
my $faults = $server->data_dir . '/faults';
mkdir $faults or die "$faults: $!";
$server->ask(<<'END');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rule text, email text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.rule = %L', name), activate => true, steps => ARRAY[
		automation.send_webhook('hook', CASE WHEN name = 'slow' THEN '/delay/1500/echo/1' ELSE '/' END || '/job/{{ id }}',
			headers => '{"x-to": "{{ email | default: \"nobody\" }}"}')])
	FROM unnest('{tell,other,slow}'::text[]) AS name;
END

# A new message; answers its row.
sub insert
{
	my ($rule, $email) = @_;
	return $server->ask("INSERT INTO job (rule, email) VALUES ('$rule', nullif('" . ($email // '') . "', '')) RETURNING id");
}

sub state_of
{
	my ($job) = @_;
	return $server->ask("SELECT d.state FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id WHERE r.key = '$job'");
}

sub becomes
{
	my ($job, $state, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for (1 .. 100)
	{
		last if state_of($job) eq $state;
		sleep 0.1;
	}
	return is(state_of($job), $state, $name);
}

sub arrived
{
	my ($job) = @_;
	return scalar grep { $_->{path} =~ m{/job/$job$} } $web->received;
}

# A transaction that stays open: what it says, and what it is told.
sub session
{
	my ($in, $out) = ('', '');
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres') ], '<', \$in, '>', \$out, IPC::Run::timeout(60));
	return sub {
		my ($commands) = @_;
		$out = '';
		$in .= "$commands;\n\\echo done\n";
		$psql->pump until $out =~ /done\n$/;
		$out =~ s/done\n$//;
		chomp $out;
		return $out;
	};
}

my $recall = q{SELECT effect || coalesce(': ' || reason, '') FROM automation.recall('tell')};

# The worker is the first: it has looked, and is yet to commit.
append_to_file("$faults/deliveries are claimed", 'sleep 1000');
my $first = insert('tell');
for (1 .. 100)
{
	last unless -e "$faults/deliveries are claimed";
	sleep 0.05;
}
ok(!-e "$faults/deliveries are claimed", 'a message is about to be claimed');
is($server->ask($recall), 'final: 1 of 1 messages sent, or being sent', 'who calls it back then is told that it is too late');
becomes($first, 'delivered', 'and so it is');
is($server->ask('SELECT count(*) FROM automation.recalled'), '0', 'nothing is noted of what did not happen');

# Who calls back is the first, and takes his time.
for my $end ('COMMIT', 'ROLLBACK')
{
	$server->ask(q{SELECT automation.pause_channel('hook')});
	my $job   = insert('tell');
	my $other = insert('other');
	my $says  = session();
	my $told  = $says->("BEGIN; $recall");
	like($told, qr/^cancelled$/m, 'a message is called back');
	$server->ask(q{SELECT automation.resume_channel('hook')});
	becomes($other, 'delivered', 'the messages of others leave meanwhile');
	sleep 0.5;
	is(arrived($job), 0, 'but not that one');
	$says->($end);
	if ($end eq 'COMMIT')
	{
		becomes($job, 'cancelled', 'it ends');
		ok($server->poll_query_until('postgres', q{SELECT count(*) = 0 FROM automation.retry}), 'and nothing waits for it');
		is(arrived($job), 0, 'it has never left');
	}
	else
	{
		becomes($job, 'delivered', 'unless he thinks better of it');
		is(arrived($job), 1, 'then it leaves, once');
	}
}

# Erased while it is on its way: the answer, which has the address in it, comes afterwards. The eraser takes his time, too.
my $ann   = 'ann@firm.example';
my $slow  = insert('slow', $ann);
becomes($slow, 'delivering', 'a message is under way');
my $says = session();
like($says->("BEGIN; SELECT automation.erase_address('email', '$ann') ->> 'in_flight'"), qr/^1$/m, 'who erases its recipient is told so');
sleep 2;
my $other = insert('other');
becomes($other, 'delivered', 'the messages of others leave meanwhile, and are done with');
$says->('COMMIT');
becomes($slow, 'delivered', 'it was too late for that one');
is($server->ask(q{SELECT count(*) FROM automation.attempt AS a WHERE a::text LIKE '%firm.example%'}), '0', 'but the answer does not bring the address back');

# The eraser is done before the answer comes.
my $ben = insert('slow', 'ben@firm.example');
becomes($ben, 'delivering', 'another one is under way');
$server->ask(q{SELECT automation.erase_address('email', 'ben@firm.example')});
becomes($ben, 'delivered', 'it is answered later');
is($server->ask(q{SELECT count(*) FROM automation.attempt AS a WHERE a::text LIKE '%firm.example%'}), '0', 'nor does this answer');

my $carl = insert('slow', 'carl@firm.example');
becomes($carl, 'delivered', 'while of who was not erased');
is($server->ask(q{SELECT count(*) FROM automation.attempt AS a WHERE a::text LIKE '%carl@firm.example%'}), '1', 'the answer is kept');

$server->stop;
done_testing();
