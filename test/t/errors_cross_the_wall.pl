# Errors of either side cross the wall whole and leave nothing behind, in every combination, a thousand
# times each: no object, no memory, no state of PostgreSQL's.
use strict;
use warnings;
use Cwd 'abs_path';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

system_or_bail('make', '-s', '-C', 'test/wall');
my $library = abs_path('test/wall/wall.so');

my $node = PostgreSQL::Test::Cluster->new('wall');
$node->init;
$node->start;
$node->psql('postgres', slurp_file('test/wall/module.sql'),
	extra_params => [ '-v', "library=$library" ], on_error_die => 1);

# The literal of a command within a command.
sub quoted
{
	my ($text) = @_;
	return "'" . $text =~ s/'/''/gr . "'";
}

sub answer
{
	my ($query) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $query);
	return $status == 0 ? $out : $err;
}

# A command that leaves a row.
sub kept { return "INSERT INTO wall.kept VALUES ($_[0]) RETURNING number" }

# One session: what the command comes to, then what is left of a thousand of them.
sub comes_to
{
	my ($command, $expected, $name) = @_;
	my $literal = quoted($command);
	is(answer("SELECT wall.outcome($literal); SELECT wall.what_leaks($literal); SELECT 'alive'"),
		"$expected\n\nalive", $name);
	return;
}

my $fields     = 'The detail.|The hint.|a schema|a table|a column|a type|a constraint';
my $postgres   = "23514|from PostgreSQL|$fields";
my $failure    = '22023|from C++|The detail. The error is at character 7 of the text.|The hint.';
my $long       = 'x' . '€' x 340;
my %outcome_of = (
	postgres         => $postgres,
	careless         => $postgres,
	failure          => $failure,
	failure_in_guard => '22023|from C++|The detail.|The hint.',
	long_failure     => "22023|$long|$long|$long",
	runtime_error    => 'XX000|from the library',
	bad_alloc        => '53200|out of memory',
	int              => 'XX000|unknown C++ exception',
	none             => 'nothing raised');

# The counts are not blind.
is(answer("SELECT wall.outcome('SELECT wall.leak()'); SELECT wall.live_objects()"), "XX000|past an object\n1",
	'a longjmp past an object is counted');
like(answer("SELECT wall.what_leaks('SELECT wall.leak()')"), qr/^objects 1100, heap [4-9]\d{6}$/, 'and so is its memory');

# Each kind of error through the entry, through guards, through SQL and back, below subtransactions.
for my $kind (sort keys %outcome_of)
{
	my $expected = $outcome_of{$kind};
	my $raise    = "SELECT wall.raise('$kind')";
	my $inner    = "SELECT wall.execute(" . quoted($raise) . ")";
	comes_to($raise, $expected, "$kind");
	comes_to("SELECT wall.raise('$kind', 5)", $expected, "$kind below nested guards");
	comes_to($inner, $expected, "$kind in SQL called by C++");
	comes_to("SELECT wall.execute(" . quoted($inner) . ")", $expected, "$kind two calls deep");
	comes_to("SELECT wall.raise_in_memory('$kind')", $expected, "$kind while allocating elsewhere");

	my ($state, $message) = split /\|/, $expected;
	my $stopped = defined $message ? "$state $message" : 'ok';
	comes_to("SELECT wall.attempt(" . quoted($raise) . ", 'SELECT 1 / 0', " . quoted($raise) . ")",
		"$stopped; 22012 division by zero; $stopped; still here",
		"$kind in subtransactions");
	comes_to("SELECT wall.keep_and_throw(" . quoted($raise) . ")", $expected, "$kind kept and thrown later");
	comes_to("SELECT wall.execute(" . quoted("SELECT wall.stop_in_sql(" . quoted($raise) . ")") . ")",
		defined $message ? "stopped $state" : 'nothing raised', "$kind stopped by SQL between C++ and C++");
}

# When there is no memory to keep an error, that is the error. Objects live on, and so does the session.
is( answer("SELECT wall.outcome('SELECT wall.raise(''beyond_memory'', 3)');"
		  . "SELECT wall.attempt('SELECT wall.raise(''beyond_memory'')', 'SELECT 1 / 0');"
		  . "SELECT wall.live_objects(), wall.contexts()"),
	"53200|out of memory\n53200 out of memory; 22012 division by zero; still here\n0|0",
	'an error that does not fit into memory');

# Raised in the body itself, a PostgreSQL error is stopped and a C++ exception goes on.
my $insert = quoted(kept(1));
comes_to("SELECT wall.attempt_raise($insert, 'postgres')", '23514 from PostgreSQL', 'a subtransaction stops an ERROR');
comes_to("SELECT wall.attempt_raise($insert, 'failure')",  $failure, 'but no C++ exception');
comes_to("SELECT wall.attempt_raise($insert, 'int')", $outcome_of{int}, 'whatever it is');
is(answer('SELECT count(*) FROM wall.kept'), 0, 'what either did before is undone');
is(answer("SELECT wall.attempt_raise($insert, 'none'); SELECT count(*) FROM wall.kept; DELETE FROM wall.kept"),
	"ok\n1", 'without an error it is kept');
for my $kind (qw(postgres careless none))
{
	is(answer("SELECT wall.restores_state('$kind')"), 't', "$kind: handlers, contexts, memory and owner are put back");
}

# Subtransactions within subtransactions.
is( answer(
		join '; ',
		"SELECT wall.attempt_nested('" . kept(1) . "', '" . kept(2) . "', 'SELECT 1/0', '" . kept(4) . "')",
		'SELECT string_agg(number::text, \',\' ORDER BY number) FROM wall.kept',
		'DELETE FROM wall.kept'),
	"22012 division by zero; ok; ok\n1,2",
	'only the innermost is undone');
my $third = quoted('SELECT wall.attempt_nested(' . quoted(kept(3)) . ", 'SELECT wall.raise(''postgres'')')");
is( answer("SELECT wall.attempt_nested('" . kept(1) . "', $third, 'SELECT 1/0'); SELECT sum(number) FROM wall.kept; DELETE FROM wall.kept"),
	"22012 division by zero; ok; ok\n4",
	'through SQL too');
comes_to("SELECT wall.attempt_nested(" . join(', ', ("'SELECT 1'") x 20, "'SELECT 1/0'") . ")",
	join('; ', '22012 division by zero', ('ok') x 20), 'twenty deep');

# All the fields of an error that SQL raised, and its context.
comes_to('SELECT wall.execute(\'SELECT wall.raise_in_sql()\')', "P1234|from SQL|$fields", 'an error of SQL keeps its fields');
is( answer("SELECT wall.outcome('SELECT wall.attempt(''SELECT wall.raise_in_sql()'')');"
		  . "SELECT wall.context_of('SELECT wall.execute(''SELECT wall.raise_in_sql()'')')"),
	join("\n",
		'P1234 from SQL; still here',
		'PL/pgSQL function wall.raise_in_sql() line 3 at RAISE',
		'SQL statement "SELECT wall.raise_in_sql()"',
		"SQL statement \"SELECT wall.execute('SELECT wall.raise_in_sql()')\"",
		'PL/pgSQL function wall.context_of(text) line 5 at EXECUTE'),
	'and its context, with nothing of an earlier one');

# Statements that are kept.
comes_to('SELECT wall.divide(6, 0)', '22012|division by zero', 'a kept statement fails');
is(answer("SELECT wall.outcome('SELECT wall.divide(6, 0)'); SELECT wall.divide(6, 2)"), "22012|division by zero\n3", 'and works next time');
comes_to('SELECT wall.broken_statement()', '42703|column "no_such_column" does not exist', 'one that cannot be prepared');

comes_to("SELECT wall.execute('INSERT INTO wall.kept VALUES (7)')", 'XX000|the statement returned no row 0', 'a row that no statement returned');

# Where PostgreSQL itself gives up.
my $depth = answer('SELECT wall.recurse()');
like($depth, qr/^psql:<stdin>:1: ERROR: +stack depth limit exceeded/, 'endless recursion ends');
like(answer("SELECT wall.outcome('SELECT wall.recurse()') ~ '^54001'; SELECT wall.live_objects(), wall.contexts()"), qr/^t\n0\|0$/, 'and leaves nothing');

# Interrupts.
for my $spin (qw(spin spin_in_subtransaction))
{
	is( answer("SET statement_timeout = '100ms'; SELECT wall.outcome('SELECT wall.$spin()'); RESET statement_timeout; SELECT wall.live_objects(), wall.contexts()"),
		"57014|canceling statement due to statement timeout\n0|0",
		"$spin: a timeout interrupts a loop of C++");
}
is( answer("SET statement_timeout = '100ms'; SELECT wall.outcome('SELECT wall.attempt(''SELECT pg_sleep(60)'', ''SELECT 1'')')"),
	'57014|canceling statement due to statement timeout',
	'a subtransaction does not stop a cancel');
my ($status, undef, $err) = $node->psql('postgres', "SELECT wall.attempt('SELECT pg_terminate_backend(pg_backend_pid())', 'SELECT 1')");
like($err, qr/FATAL: +terminating connection due to administrator command/, 'nor an end of the session');

# Errors that reach the client, each ending its transaction.
my $errors = join '', map { "SELECT wall.raise('$_', 2);\n" } grep { $_ ne 'none' } sort keys %outcome_of;
my ($out, $complaints);
$node->psql('postgres', $errors x 125 . "SELECT wall.live_objects(), wall.contexts(), wall.is_handling();",
	on_error_stop => 0, stdout => \$out, stderr => \$complaints);
is($out, '0|0|f', 'a thousand errors told to a client leave nothing');
is(scalar(() = $complaints =~ /ERROR: /g), 1000, 'and all are told');

# Transactions of a background worker.
is(answer("SELECT wall.start_worker('$library')"), 'ended', 'a worker runs and ends');
is( answer('SELECT answer, live_objects FROM wall.report'),
	join("\n",
		map { "$_|0" } 'ok', '23514 from PostgreSQL', '22012 division by zero',
		'23505 duplicate key value violates unique constraint "checked_at_commit_number_key"', 'ok', 'contexts 0'),
	'its transactions fail one by one, at their commit too, and it lives on');
is(answer('SELECT count(*) FROM wall.worked'), 600, 'what succeeded is there');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /WARNING: +from PostgreSQL/g), 300, 'what failed is a warning in the log');
like($log, qr/ERROR: +from C\+\+/, 'an exception that leaves it is its last error');
ok($log !~ /terminated by signal/, 'the server never had to restart');

$node->stop;
done_testing();
