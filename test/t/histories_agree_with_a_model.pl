# Ten thousand random histories of rows, each checked against a model of what is due, done and cancelled, which
# knows nothing of the engine. A history: a row is inserted, updated, stopped, resumed, deleted, its rule paused
# and resumed, and now and then a whole tick is rolled back. Rows of one batch share a transaction and its clock;
# each has a kind, which tells the rule that is for it. A batch in twenty commits as it goes, and the server
# crashes in the middle of it.
#
#   HISTORIES=10000 SEED=1      as many, and from this seed on: a failure names the seed of its batch
use strict;
use warnings;
use IPC::Run ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use Test::More;

my $rows      = 100; # of a batch
my $rounds    = 5;
my $batches   = int(($ENV{HISTORIES} // 10_000) / $rows);
my $cores     = 2;
my $seed      = $ENV{SEED} // time;
my $start     = '2030-03-04 00:00+00';
my @kinds     = qw(seq seq date overdue stays);
my @stages    = qw(New Offer Won);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_automation'\npg_automation.databases = 'template1'\njit = off\nfsync = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE crm');
$node->safe_psql('crm', <<'END');
	CREATE EXTENSION pg_automation;
	CREATE TABLE deal (id integer PRIMARY KEY, kind text, stage text, amount integer, due_at timestamptz);
	SELECT automation.attach('deal', 'deal', '{"status": "stage"}');
	SELECT automation.create_rule('seq', 'deal', 'status_entered', '{"to": "Offer"}', $$new.kind = 'seq'$$, activate => true, steps => ARRAY[
		automation.after('2 h', automation.notify('{{ id }}', 'seq 1'), cancel_if_changed => '{stage}'),
		automation.after('5 h', automation.notify('{{ id }}', 'seq 2'), cancel_if_changed => '{stage,amount}'),
		automation.after('3 h', automation.notify('{{ id }}', 'seq 3'), cancel_if_changed => '{amount}', options => '{"cancel_mode": "differs"}'),
		automation.after('1 h', automation.notify('{{ id }}', 'seq 4'), anchor => 'previous')]);
	SELECT automation.create_rule('date', 'deal', 'created', '{}', $$new.kind = 'date'$$, activate => true, steps => ARRAY[
		automation.after('1 h', automation.notify('{{ id }}', 'date'), anchor => 'field:due_at')]);
	SELECT automation.create_rule('overdue', 'deal', 'date_passed', '{"field": "due_at", "after": "3 h"}', $$new.kind = 'overdue' AND new.amount > 0$$, activate => true,
		steps => ARRAY[automation.notify('{{ id }}', 'overdue')]);
	SELECT automation.create_rule('stays', 'deal', 'stayed_in_status', '{"status": "Offer", "for": "4 h"}', $$new.kind = 'stays'$$, activate => true,
		steps => ARRAY[automation.notify('{{ id }}', 'stays')]);
END

# The model. Time is in minutes; done is {what => at}, as "what at".
my ($now, $paused_at);

sub row { return { id => $_[0], there => 1, done => [], steps => [], sent_for => {}, story => [] } }

sub done { my ($row, $what) = @_; push @{ $row->{done} }, "$what $now"; return }

# What changed, and what follows from it at once. old is undef for a new row.
sub changed
{
	my ($row, $old) = @_;
	my $stage  = !$old || $old->{stage} ne $row->{stage};
	my $amount = !$old || $old->{amount} != $row->{amount};
	$_->{gone} = 1 for grep { $stage && $_->{what} =~ /[12]$/ || $amount && $_->{what} =~ /2$/ } @{ $row->{steps} };
	$row->{stays} = $row->{kind} eq 'stays' && $row->{stage} eq 'Offer' ? $now + 240 : undef if $stage;
	if ($row->{kind} eq 'seq' && $stage && $row->{stage} eq 'Offer' && !defined $paused_at && !defined $row->{stopped_at})
	{
		my $third = { what => 'seq 3', due => $now + 180, amount => $row->{amount} };
		push @{ $row->{steps} }, { what => 'seq 1', due => $now + 120 }, { what => 'seq 2', due => $now + 300 },
		  $third, { what => 'seq 4', after => $third };
	}
	return;
}

# Everything that is due now, and then what that lets become due now.
sub happen
{
	my ($row) = @_;
	return unless $row->{there};
	for my $step (@{ $row->{steps} })
	{
		next if $step->{gone} || !defined $step->{due} || $step->{due} > $now || defined $step->{parked};
		if (defined $paused_at || defined $row->{stopped_at})
		{
			$step->{parked} = $step->{due};
			next;
		}
		$step->{gone} = 1;
		next if defined $step->{amount} && $step->{amount} != $row->{amount};
		done($row, $step->{what});
		$_->{due} = $now + 60 for grep { ($_->{after} // 0) == $step } @{ $row->{steps} };
	}
	if ($row->{kind} eq 'date' && defined $row->{due} && !$row->{dated} && $row->{due} + 60 <= $now)
	{
		$row->{dated} = 1;
		done($row, 'date');
	}
	if ($row->{kind} eq 'overdue' && defined $row->{due} && $row->{amount} > 0 && $row->{due} + 180 <= $now && !$row->{sent_for}{ $row->{due} }++)
	{
		done($row, 'overdue');
	}
	if (defined $row->{stays} && $row->{stays} <= $now)
	{
		undef $row->{stays};
		done($row, 'stays');
	}
	return;
}

sub resume
{
	my ($row, $policy, $since) = @_;
	for my $step (grep { !$_->{gone} && defined $_->{parked} } @{ $row->{steps} })
	{
		$step->{gone} = 1 if $policy eq 'skip';
		$step->{due} = $policy eq 'run' ? $now : $step->{parked} + $now - $since;
		undef $step->{parked};
	}
	return;
}

# A batch: the SQL of its histories, while the model lives through the same.
my %policy = map { $_ => 1 } qw(skip run reschedule);
sub any { return $_[ rand @_ ] }
sub instant { return defined $_[0] ? "timestamptz '$start' + interval '$_[0] min'" : 'NULL' }
sub clock { return "SELECT automation.set_clock(" . instant($now) . ");\n" }

sub let_pass
{
	my ($minutes, @all) = @_;
	for (1 .. $minutes)
	{
		happen($_) for @all;
		$now++;
	}
	happen($_) for @all;
	return "SELECT automation.advance('$minutes min');\n";
}

sub random_due { return rand() < 0.2 ? undef : $now + 60 * int(rand(20) - 5) }

sub update
{
	my ($row, %new) = @_;
	my $old = {%$row};
	$row->{$_} = $new{$_} for keys %new;
	changed($row, $old);
	my $sql = join ', ', map { $_ eq 'due' ? 'due_at = ' . instant($new{due}) : "$_ = '$new{$_}'" } sort keys %new;
	push @{ $row->{story} }, "$now: $sql";
	return "UPDATE deal SET $sql WHERE id = $row->{id};\n";
}

sub insert
{
	my ($row) = @_;
	@$row{qw(kind stage amount due)} = (any(@kinds), any(@stages), int rand 3, random_due());
	changed($row);
	push @{ $row->{story} }, "$now: insert $row->{kind} $row->{stage} $row->{amount} " . ($row->{due} // 'never');
	return "INSERT INTO deal VALUES ($row->{id}, '$row->{kind}', '$row->{stage}', $row->{amount}, " . instant($row->{due}) . ");\n";
}

sub operate
{
	my ($row) = @_;
	my $dice = rand;
	return insert($row) if !defined $row->{stage};
	return '' if !$row->{there} || $dice < 0.25;
	return update($row, stage => any(@stages)) if $dice < 0.50;
	return update($row, amount => int rand 3) if $dice < 0.62;
	return update($row, due => random_due()) if $dice < 0.74;
	return update($row, stage => any(@stages), amount => int rand 3, due => random_due()) if $dice < 0.80;
	return update($row, stage => 'Won') . update($row, stage => 'Offer') if $dice < 0.88;
	if ($dice < 0.92)
	{
		$row->{there} = 0;
		push @{ $row->{story} }, "$now: delete";
		return "DELETE FROM deal WHERE id = $row->{id};\n";
	}
	push @{ $row->{story} }, "$now: " . (defined $row->{stopped_at} ? 'resume' : 'stop');
	if (!defined $row->{stopped_at})
	{
		$row->{stopped_at} = $now;
		return "SELECT automation.stop_item('deal', '$row->{id}', 'seq');\n";
	}
	my $policy = any(sort keys %policy);
	$row->{story}[-1] .= " $policy";
	resume($row, $policy, delete $row->{stopped_at});
	return "SELECT automation.resume_item('deal', '$row->{id}', 'seq', on_overdue => '$policy');\n";
}

# The rule is paused or resumed, or a part of the future is undone, for all rows of the batch.
sub operate_on_all
{
	my (@all) = @_;
	my $dice = rand;
	return "SAVEPOINT s; UPDATE deal SET amount = amount + 1; SELECT automation.advance('3 h'); ROLLBACK TO s;\n" . clock() if $dice < 0.1;
	return '' if $dice < 0.6;
	if (!defined $paused_at)
	{
		$paused_at = $now;
		push @{ $_->{story} }, "$now: pause" for @all;
		return "SELECT automation.pause_rule('seq');\n";
	}
	my $policy = any(sort keys %policy);
	push @{ $_->{story} }, "$now: resume rule $policy" for @all;
	my $since = $paused_at;
	undef $paused_at;
	resume($_, $policy, $since) for grep { $_->{there} } @all;
	return "SELECT automation.resume_rule('seq', on_overdue => '$policy');\n";
}

# The transactions of a batch, and what asks for what has been done.
sub batch
{
	my ($number) = @_;
	srand($number);
	($now, $paused_at) = (0, undef);
	my @all = map { row($_) } 1 .. $rows;
	my @parts;
	for (1 .. $rounds)
	{
		my $sql = clock() . join '', map { operate($_) } @all;
		$sql .= operate_on_all(@all);
		# The minute is for what is resumed ten a second.
		push @parts, $sql . let_pass(60 * (1 + int rand 4) + 1, @all);
	}
	push @parts, clock() . let_pass(60 * 25, @all);
	return (\@all, @parts);
}

my $ask = "\\pset tuples_only on\n\\o\n"
  . "SELECT recipient || ': ' || body || ' ' || (extract(epoch FROM at - timestamptz '$start')::numeric / 60)::integer FROM automation.notification ORDER BY id;\n";

sub psql
{
	my ($database, $number, $sql) = @_;
	my ($output, $errors) = ('', '');
	IPC::Run::run([ 'psql', '-XqAt', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database) ],
		'<', \$sql, '>', \$output, '2>', \$errors);
	diag("SEED=$number: $errors") if $errors =~ /ERROR/;
	return $output;
}

# All of it in one transaction, which is rolled back.
sub live
{
	my ($database, $number, @parts) = @_;
	return psql($database, $number, join '', "BEGIN;\n", @parts, $ask, "ROLLBACK;\n");
}

# Each part is committed, but for the one in which the server crashes; that one is lived again.
sub live_through_a_crash
{
	my ($number, @parts) = @_;
	my $committed = int rand @parts;
	psql('crm', $number, join '', map { "BEGIN;\n$_;COMMIT;\n" } @parts[0 .. $committed - 1]);
	my ($input, $errors) = ("BEGIN;\n$parts[$committed]\\echo done\n", '');
	my $output  = '';
	my $session = IPC::Run::start([ 'psql', '-XqAt', '-o', '/dev/null', '-d', $node->connstr('crm') ], '<', \$input, '>', \$output, '2>', \$errors);
	# Somewhere on its way, or at the end of it.
	$session->pump until !length $input;
	$session->pump until rand() < 0.5 || $output =~ /done/;
	$node->stop('immediate');
	$session->finish;
	$node->start;
	return psql('crm', $number, join '', map({ "BEGIN;\n$_;COMMIT;\n" } @parts[$committed .. $#parts]), $ask,
		"TRUNCATE deal, automation.notification, automation.run, automation.step_run, automation.pending, automation.touch, automation.hold, automation.fired;\n",
		"UPDATE automation.rule SET state = 'active', paused_at = NULL;\n");
}

sub compare
{
	my ($number, $all, $output) = @_;
	my %got;
	push @{ $got{$1} }, $2 while $output =~ /^(\d+): (.*)$/mg;
	for my $row (@$all)
	{
		my $expected = join ', ', sort @{ $row->{done} };
		my $got      = join ', ', sort @{ $got{ $row->{id} } // [] };
		next if $expected eq $got;
		diag("SEED=$number HISTORIES=$rows, row $row->{id}\n  model:  $expected\n  engine: $got\n  " . join("\n  ", @{ $row->{story} }));
		return 0;
	}
	return 1;
}

# A core's share of the batches, in a database of its own; says for each how many steps there were.
sub share
{
	my ($core) = @_;
	for my $number (grep { $_ % $cores == $core } $seed .. $seed + $batches - 1)
	{
		next if crashes($number);
		my ($all, @parts) = batch($number);
		compare($number, $all, live("crm$core", $number, @parts)) or return;
		my $steps = 0;
		$steps += @{ $_->{done} } for @$all;
		print "$steps\n";
	}
	return;
}

sub crashes { return $_[0] % 20 == 0 }

my ($agreed, $steps, $began) = (0, 0, time);
my @pipes;
for my $core (0 .. $cores - 1)
{
	$node->safe_psql('postgres', "CREATE DATABASE crm$core TEMPLATE crm");
	defined(my $process = open my $pipe, '-|') or die "fork: $!";
	if (!$process)
	{
		share($core);
		close STDOUT;
		POSIX::_exit(0);
	}
	push @pipes, $pipe;
}
for my $pipe (@pipes)
{
	while (<$pipe>) { $agreed++; $steps += $_ }
}
for my $number (grep { crashes($_) } $seed .. $seed + $batches - 1)
{
	my ($all, @parts) = batch($number);
	compare($number, $all, live_through_a_crash($number, @parts)) or last;
	$steps += @{ $_->{done} } for @$all;
	$agreed++;
}
is($agreed, $batches, "batches of $rows histories, from seed $seed on, agree in " . (time - $began) . " s: $steps steps");

$node->stop;
done_testing();
