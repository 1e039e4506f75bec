# A server that is struck again and again while several write, and the books of what came of it.
#
#   Crash::everywhere('webhook', 'src/worker/*.cpp');   # a whole test: at each fault point named there, in every manner
#
#   my $crash = Crash->begin('webhook');           # a server, sinks, and rules by which jobs tell of themselves
#   $crash->strike('a run begins', 'kill');        # one cycle: writers, a blow, the restart; all is delivered
#   $crash->balance;                               # what has arrived, against what was committed
#
# Fault points are those named in src/; for what may happen at them see test/faults/faults.cpp. The order is
# random: SEED=… repeats one. CYCLES=… goes on, at points drawn by lot, until all tests together have had so many.
package Crash;

use strict;
use warnings;
use Cwd        ();
use IPC::Run   ();
use List::Util ();
use PostgreSQL::Test::Utils qw(append_to_file slurp_file system_log system_or_bail);
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed     = $ENV{SEED} || (int(time * 1000) + $$) % 2**31;
my $recovery = 10;     # seconds from the restart until all is delivered
my $most     = 400;    # cycles of one server, as its tables grow
my @blows    = qw(kill postmaster immediate);
my %ends     = map { $_ => 1 } @blows, 'panic';
my $begun    = 0;

srand $seed;
note "SEED=$seed";

END
{
	diag "SEED=$seed repeats this" unless Test::More->builder->is_passing;
}

# The names of the fault points in these sources.
sub points
{
	my ($sources) = @_;
	my %found;
	for my $file (glob $sources)
	{
		my $text = slurp_file($file);
		$found{$1} = 1 while $text =~ /fault_point\(\s*"([^"]+)"\)/g;
	}
	return sort keys %found;
}

# What brings a server to a point that writers alone do not lead to.
my $the_worker = "FROM pg_stat_activity WHERE backend_type = 'pg_automation worker' AND datname = 'postgres'";

sub signal_worker
{
	my ($self, $signal) = @_;
	my $pid;
	holds_within(10, sub { $pid = $self->answer("SELECT pid $the_worker LIMIT 1") });
	kill $signal, $pid if $pid;
	return;
}

sub kill_worker { return $_[0]->signal_worker('KILL') }

sub restart
{
	my ($self) = @_;
	system_log('pg_ctl', '-D', $self->{server}->data_dir, '-m', 'immediate', 'stop');
	$self->start;
	return;
}

my %stimulus = (
	'a mail is half sent'    => sub { $_[0]->answer(q{INSERT INTO job (kind) VALUES ('email')}) },
	'a breaker is saved'     => sub { my ($self) = @_; $self->answer("INSERT INTO job (kind, moody) VALUES ('$self->{kind}', true)") },
	'a connection is opened'    => sub { $_[0]->signal_worker('TERM') }, # the last one keeps its own alive
	'a worker is told to leave' => sub { $_[0]->signal_worker('TERM') },
	'the launcher begins'    => \&restart,
	'a worker begins'        => \&kill_worker,
	'a worker is open'       => \&kill_worker,
	'a worker is started'    => \&kill_worker,
	'a worker is to be started' => \&kill_worker,
	'what was lost is settled'  => \&kill_worker);

sub begin
{
	my ($class, $kind) = @_;
	system_or_bail('flock', 'test/faults/Makefile', 'make', '-s', '-C', 'test/faults');
	my $self = bless { kind => $kind, cycles => 0, seen => 0, web => Sink->start('http'), mail => Sink->start('smtp') }, $class;
	$self->{server} = Server->begin(
		'main' . ++$begun,
		shared_preload_libraries      => 'pg_automation,' . Cwd::abs_path('test/faults/faults.so'),
		restart_after_crash           => 'on',
		max_prepared_transactions     => 20,
		'pg_automation.poll_interval' => '200ms');
	$self->{faults} = $self->{server}->data_dir . '/faults';
	mkdir $self->{faults} or die "$self->{faults}: $!";
	$self->install;
	return $self;
}

# Jobs tell of themselves at once, later unless somebody makes a note, and when all of the transaction is known.
sub install
{
	my ($self) = @_;
	my ($web, $mail) = map { $_->port } @$self{qw(web mail)};
	$self->{server}->install('postgres', $self->{web});
	$self->{server}->ask(<<"SQL");
		CREATE SERVER office FOREIGN DATA WRAPPER pg_automation
			OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:$mail', sender 'office\@firm.example', starttls 'off');
		CREATE SERVER moody FOREIGN DATA WRAPPER pg_automation
			OPTIONS (channel 'webhook', base_url 'http://127.0.0.1:$web', retry_delay '100ms', breaker_failures '1', breaker_pause '100ms');
		CREATE TABLE job (
			id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			kind text NOT NULL,
			later boolean NOT NULL DEFAULT false,
			moody boolean NOT NULL DEFAULT false,
			note text);
		SELECT automation.attach('job', 'job');
		SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[
			automation.only_if(\$\$ new.kind = 'webhook' \$\$, automation.send_webhook('hook', '/tell', '{"job": "{{ id }}", "rule": "tell"}')),
			automation.only_if(\$\$ new.kind = 'sms' \$\$, automation.send_sms('twilio', '+12025550199', 'tell {{ id }}')),
			automation.only_if(\$\$ new.kind = 'email' \$\$, automation.send_email('office', 'a\@firm.example', 'tell {{ id }}', 'Hello'))]);
		SELECT automation.create_rule('later', 'job', 'created', condition => 'new.later', activate => true, steps => ARRAY[
			automation.after('100 milliseconds', automation.send_webhook('hook', '/later', '{"job": "{{ id }}", "rule": "later"}'),
				cancel_if_changed => '{note}')]);
		SELECT automation.create_rule('moody', 'job', 'created', condition => 'new.moody', activate => true, steps => ARRAY[
			automation.send_webhook('moody', '/fail-then-ok/1/{{ id }}', '{"job": "{{ id }}", "rule": "moody"}')]);
		SELECT automation.create_rule('in all', 'job', 'created', evaluate => 'commit', activate => true, steps => ARRAY[
			automation.notify('log', '{{ id }}')]);
SQL
	$self->{script} = "$ENV{TESTDIR}/writer$begun.sql";
	append_to_file($self->{script}, <<'SQL');
\set dice random(1, 4)
INSERT INTO job (kind, later) VALUES (':kind', :dice = 1);
BEGIN;
INSERT INTO job (kind) VALUES (':kind');
SAVEPOINT doubt;
INSERT INTO job (kind, later) VALUES (':kind', true);
ROLLBACK TO doubt;
COMMIT;
BEGIN;
INSERT INTO job (kind) VALUES (':kind');
ROLLBACK;
UPDATE job SET note = 'x' WHERE id = (SELECT max(id) FROM job WHERE later) AND :dice < 3;
BEGIN;
INSERT INTO job (kind, later) VALUES (':kind', :dice = 2);
PREPARE TRANSACTION 'of :client_id';
COMMIT PREPARED 'of :client_id';
SQL
	return;
}

# Asks until the server answers: it may be on its way down or up.
sub answer
{
	my ($self, $query) = @_;
	my $deadline = time + 60;
	for (;;)
	{
		# psql may be gone before it was asked.
		my ($status, $out) = eval { $self->{server}->psql('postgres', $query) };
		return $out if defined $status && $status == 0;
		die "no answer: $query\n" if time > $deadline;
		$self->start unless $self->is_up;
		sleep 0.02;
	}
}

# Whether there is a postmaster. One that was killed may not have been buried yet.
sub is_up
{
	my ($self) = @_;
	open my $status, '<', "/proc/$self->{server}{_pid}/stat" or return 0;
	return (<$status> // ') X') !~ /\) [ZX]/;
}

# Refused for as long as somebody of the last postmaster is still there.
sub start
{
	my ($self) = @_;
	my $server = $self->{server};
	system_log('pg_ctl', '-w', '-D', $server->data_dir, '-l', $server->logfile, 'start');
	$server->_update_pid(-1);
	$server->{_pid} //= 0;
	return;
}

sub holds_within
{
	my ($seconds, $condition) = @_;
	my $deadline = time + $seconds;
	until ($condition->())
	{
		return 0 if time > $deadline;
		sleep 0.01;
	}
	return 1;
}

# What is to happen at a point: once, to who comes there first.
sub arm
{
	my ($self, $point, $action) = @_;
	my $fault = "$self->{faults}/$point";
	append_to_file("$fault.new", $action);
	rename "$fault.new", $fault or die "$fault: $!";
	return $fault;
}

sub strike
{
	my ($self, $point, $action) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $report;
	my $writers = IPC::Run::start(
		[ 'pgbench', '-n', '-c', 3, '-R', 30, '-T', 60, '-D', "kind=$self->{kind}", '-f', $self->{script}, $self->{server}->connstr('postgres') ],
		'>', \$report, '2>', \$report);

	my $fault = $self->arm($point, $action);
	$stimulus{$point}->($self) if $stimulus{$point};
	my $struck = holds_within(20, sub { !-e $fault });
	unlink $fault;
	$writers->kill_kill(grace => 2) unless $struck && $ends{$action};
	$writers->finish; # those of a server that goes down end with it
	$self->answer('SELECT 1');

	my $begin = time;
	$self->resolve;
	my $done = holds_within($recovery, sub { $self->is_done });
	ok($struck && $done, sprintf '%s where %s', $action, $point)
	  or diag $struck ? 'not all was delivered in time' : 'it never came there', "\n", $self->left;
	note sprintf 'all was delivered after %.1f s', time - $begin;
	$self->{cycles}++;
	return;
}

# Whoever wrote is gone; somebody else ends his prepared transactions, this way or that.
sub resolve
{
	my ($self) = @_;
	my $prepared = $self->answer('SELECT gid FROM pg_prepared_xacts');
	$self->answer((rand() < 0.5 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_'") for split /\n/, $prepared;
	return;
}

my $under_way = "FROM automation.deliveries WHERE state IN ('ready', 'delivering', 'retrying', 'held')";

sub is_done
{
	my ($self) = @_;
	my $last = $self->answer(<<"SQL");
		SELECT coalesce((SELECT max(id) FROM automation.delivery), 0)
		WHERE NOT EXISTS (SELECT $under_way AND id > $self->{seen})
			AND NOT EXISTS (SELECT FROM automation.pending WHERE due_at < 'infinity')
SQL
	$self->{seen} = $last if $last ne '';
	return $last ne '';
}

sub left
{
	my ($self) = @_;
	return $self->answer("SELECT count(*), state, reason $under_way AND id > $self->{seen} GROUP BY state, reason");
}

# All that has arrived: by rule and job, under which ids.
sub arrivals
{
	my ($self) = @_;
	my %arrived;
	for my $message ($self->{web}->received)
	{
		my $what = $message->{json} ? "$message->{json}{rule} $message->{json}{job}" : $message->{form}{Body};
		my ($id) = map { $_->[1] } grep { lc $_->[0] eq 'webhook-id' } @{ $message->{headers} };
		push @{ $arrived{$what} }, $id // 'none';
	}
	for my $message ($self->{mail}->received)
	{
		my ($id) = map { $_->[1] } grep { lc $_->[0] eq 'message-id' } @{ $message->{headers} };
		push @{ $arrived{ $message->{subject} } }, $id;
	}
	return \%arrived;
}

sub balance
{
	my ($self) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($self->answer(<<'SQL'), '', 'of each job each rule tells once, and of nothing else');
		SELECT j.id, l.key, l.rules
		FROM job AS j
		FULL JOIN (SELECT key, string_agg(rule, ', ' ORDER BY rule COLLATE "C") FROM automation.execution_log GROUP BY key) AS l(key, rules)
			ON l.key = j.id::text
		WHERE l.rules IS DISTINCT FROM
			concat_ws(', ', 'in all', CASE WHEN j.later THEN 'later' END, CASE WHEN j.moody THEN 'moody' END, 'tell')
		LIMIT 5
SQL
	is($self->answer(<<'SQL'), '', 'what was planned was done, or cancelled by a change');
		SELECT j.id, s.status, j.note
		FROM automation.step_log AS s JOIN job AS j ON j.id::text = s.key
		WHERE s.rule = 'later' AND (s.status NOT IN ('succeeded', 'cancelled') OR (s.status = 'cancelled' AND j.note IS NULL))
		LIMIT 5
SQL
	my ($messages, $unknown, $again, @astray) = (0, 0, 0);
	my $arrived = $self->arrivals;
	for my $line (split /\n/, $self->answer(<<'SQL'))
		SELECT d.rule || ' ' || r.key, d.kind, d.state, count(a.status_code), count(*) FILTER (WHERE a.outcome = 'unknown'), (
			SELECT j.note IS NOT NULL FROM job AS j WHERE j.id::text = r.key)
		FROM automation.deliveries AS d
		JOIN automation.run AS r ON r.id = d.run_id
		LEFT JOIN automation.attempts AS a ON a.delivery_id = d.id
		GROUP BY d.rule, r.key, d.id, d.kind, d.state
SQL
	{
		my ($what, $kind, $state, $answered, $in_doubt, $has_note) = split /\|/, $line;
		my @ids = @{ delete $arrived->{$what} // [] };
		push @astray, "$line: arrived " . @ids . ' times' if @ids < $answered || @ids > $answered + $in_doubt;
		push @astray, "$line: under several ids" if List::Util::uniq(@ids) > 1;
		my $changed = $state eq 'cancelled' && $what =~ /^later / && $has_note eq 't';
		push @astray, $line unless $state eq 'delivered' || ($kind eq 'sms' && $state eq 'unknown') || $changed;
		$messages++;
		$unknown += $in_doubt;
		$again += @ids - $answered if @ids > $answered;
	}
	is_deeply(\@astray, [], 'each message has arrived, as often as its attempts say, and under one id');
	is_deeply([ sort keys %$arrived ], [], 'and none that nobody sent');
	note "$self->{cycles} cycles, $messages messages; $unknown were under way at a blow, and $again of these had arrived";
	$self->{server}->stop;
	return;
}

# In every manner at every point of these sources.
sub everywhere
{
	my ($kind, @sources) = @_;
	my @cycles;
	for my $point (map { points($_) } @sources)
	{
		push @cycles, map { [ $point, $_ ] } @blows if $point ne 'a mail is half sent' || $kind eq 'email';
	}
	@cycles = List::Util::shuffle(@cycles);
	push @cycles, [ $cycles[ rand @cycles ][0], $blows[ rand @blows ] ] while @cycles < ($ENV{CYCLES} || 0) / 4;
	while (my @some = splice @cycles, 0, $most)
	{
		my $crash = Crash->begin($kind);
		$crash->strike(@$_) for @some;
		$crash->balance;
	}
	done_testing();
	return;
}

# At each point of the worker's way.
sub troubled
{
	my ($kind) = @_;
	my $crash = Crash->begin($kind);
	# One of both at each, by lot: to strike takes seconds.
	$crash->strike(@$_) for List::Util::shuffle(map { [ $_, (qw(error terminate))[ rand 2 ] ] } points('src/worker/*.cpp'));
	$crash->balance;
	done_testing();
	return;
}

1;
