# That there is one worker per database is told by a lock that no SQL can take.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook')]);
	CREATE ROLE nobody LOGIN;
END

my $worker = $server->worker('postgres');
my $held   = "SELECT objsubid NOT IN (1, 2) FROM pg_locks WHERE pid = $worker AND locktype = 'advisory'";
is($server->ask($held), 't', 'its lock is of a class that the advisory functions do not have');

# Somebody takes locks with the numbers of ours, and anything else he can on the extension.
my $nobody = $server->background_psql('postgres', extra_params => [ '-U', 'nobody' ]);
$nobody->query_safe('SELECT pg_advisory_lock(31638856746234991), pg_advisory_lock(0), pg_advisory_lock(0, 0)');
my $owner = $server->background_psql('postgres');
$owner->query_safe("BEGIN; COMMENT ON EXTENSION pg_automation IS 'busy'");
$server->ask("SELECT pg_terminate_backend($worker, 10000)");
my $next = $server->worker('postgres');
isnt($next, $worker, 'a new worker comes');
$server->ask('INSERT INTO job DEFAULT VALUES');
is(scalar $web->wait_for(1), 1, 'and delivers');
is($server->ask($held =~ s/pid = $worker/pid = $next/r), 't', 'with the lock of the one before');

# The lock outlives what fails.
$server->ask('ALTER TABLE automation.attempt ADD CONSTRAINT none CHECK (delivery_id = 1)');
$server->ask('INSERT INTO job DEFAULT VALUES');
$server->wait_for_log(qr/WARNING: .*violates check constraint "none"/);
is($server->ask($held =~ s/pid = $worker/pid = $next/r), 't', 'and keeps it when a transaction fails');
$_->quit for $nobody, $owner;

$server->stop;
done_testing();
