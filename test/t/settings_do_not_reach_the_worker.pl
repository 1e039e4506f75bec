# Whatever is set for a database, a role or the whole server, sensible for others or not: the worker keeps to its own.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask(<<'END');
	ALTER SERVER hook OPTIONS (ADD retry_delay '100ms');
	CREATE ROLE nobody;
	CREATE SCHEMA traps;
	CREATE FUNCTION traps.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE FUNCTION traps.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE TABLE traps.pg_extension ();
END

my %settings = (
	array_nulls                         => 'off',
	backslash_quote                     => 'off',
	bytea_output                        => 'escape',
	client_encoding                     => 'LATIN1',
	client_min_messages                 => 'error',
	DateStyle                           => 'German',
	default_table_access_method         => 'none',
	default_tablespace                  => 'nowhere',
	default_transaction_deferrable      => 'on',
	default_transaction_isolation       => 'serializable',
	default_transaction_read_only       => 'on',
	enable_indexscan                    => 'off',
	extra_float_digits                  => '-15',
	idle_in_transaction_session_timeout => '1ms',
	idle_session_timeout                => '1ms',
	IntervalStyle                       => 'iso_8601',
	lock_timeout                        => '1ms',
	quote_all_identifiers               => 'on',
	role                                => 'nobody',
	row_security                        => 'off',
	search_path                         => 'traps, pg_catalog',
	session_replication_role            => 'replica',
	standard_conforming_strings         => 'off',
	statement_timeout                   => '1ms',
	synchronous_commit                  => 'off',
	temp_file_limit                     => '0',
	TimeZone                            => 'Asia/Kathmandu',
	transform_null_equals               => 'on',
	work_mem                            => '64kB');

# Our own sessions are spared.
$ENV{PGOPTIONS} = join ' ', map { "-c $_" } 'role=none', 'statement_timeout=0', 'lock_timeout=0', 'idle_session_timeout=0',
  'idle_in_transaction_session_timeout=0', 'default_transaction_read_only=off', 'session_replication_role=origin', 'search_path=public',
  'default_transaction_isolation=read\\ committed', 'array_nulls=on', 'standard_conforming_strings=on', 'default_tablespace=',
  'default_table_access_method=heap';

my $job = 0;

sub works
{
	my ($when) = @_;
	my $worker = $server->worker('postgres');
	my $log    = -s $server->logfile;
	$server->ask("SELECT pg_terminate_backend($worker, 10000)");
	isnt($server->worker('postgres'), $worker, "$when: a new worker");
	my @jobs = map { ++$job } 1 .. 3;
	$server->ask("INSERT INTO job VALUES ($jobs[0], '+12025550199'); INSERT INTO job (id, word, number) VALUES ($jobs[1], 'fail-then-ok', 1)");
	$server->ask("INSERT INTO job VALUES ($jobs[2]); UPDATE job SET done = true WHERE id = $jobs[2]");
	my $found = $server->poll_query_until('postgres', <<"END");
		SELECT count(*) = 6 AND bool_and(d.state = 'delivered')
		FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id WHERE r.key::bigint BETWEEN $jobs[0] AND $jobs[2]
END
	ok($found, "$when: it sends, tries again, and does what is due") or diag $server->told;
	is($server->ask("SELECT status FROM automation.step_log WHERE rule = 'remind' AND key = '$jobs[2]'"), 'cancelled', "$when: and cancels");
	$server->log_check("$when: without a word", $log, log_unlike => [qr/(?:WARNING|ERROR|FATAL):  (?!invalid value for parameter)/]);
	return;
}

works('nothing is set');
$server->ask(join ';', map { "ALTER DATABASE postgres SET $_ = " . ($_ eq 'search_path' ? $settings{$_} : "'$settings{$_}'") } sort keys %settings);
works('set for the database');
$server->ask('ALTER DATABASE postgres RESET ALL');
$server->ask(join ';', map { "ALTER ROLE postgres SET $_ = " . ($_ eq 'search_path' ? $settings{$_} : "'$settings{$_}'") } sort keys %settings);
works('set for the role');
$server->ask('ALTER ROLE postgres RESET ALL');
delete $settings{role};
$server->append_conf('postgresql.conf', "$_ = '$settings{$_}'") for sort keys %settings;
$server->reload;
works('set for the server');

$server->stop;
done_testing();
