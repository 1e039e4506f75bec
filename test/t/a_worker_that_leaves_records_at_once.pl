# A worker that is told to leave waits a while for what is under way. What is answered meanwhile is recorded then, and not
# only when the last one is. What has not left by then is recorded as that.
use strict;
use warnings;
use Cwd ();
use PostgreSQL::Test::Utils qw(append_to_file system_or_bail);
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep);

system_or_bail('flock', 'test/faults/Makefile', 'make', '-s', '-C', 'test/faults');
my $web    = Sink->start('http');
my $server = Server->begin('main', shared_preload_libraries => 'pg_automation,' . Cwd::abs_path('test/faults/faults.so'));
my $faults = $server->data_dir . '/faults';
mkdir $faults or die "$faults: $!";
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask(q{SELECT automation.drop_rule('remind')});
$server->ask(q{INSERT INTO job SELECT g, NULL, 'delay', g FROM unnest('{1000,4000}'::integer[]) AS g});
$web->wait_for(2);
my $worker = $server->worker('postgres');
$server->ask("SELECT pg_terminate_backend($worker)");
$server->poll_query_until('postgres', q{SELECT count(*) > 0 FROM automation.attempt WHERE outcome = 'delivered'}) or die 'not recorded';
is($server->ask('SELECT count(*) FROM automation.attempt WHERE outcome IS NULL'), 1, 'the first answer is recorded while the other is awaited');
$server->poll_query_until('postgres', q{SELECT count(*) = 2 FROM automation.attempt WHERE outcome = 'delivered'}) or die 'not recorded';
is(scalar $web->received, 2, 'which comes, too, and nothing is sent twice');

# Its time is up while the network stands still: the messages next in line get a place in the last moment, and never set out.
$worker = $server->worker('postgres');
$server->ask('SET pg_automation.max_events_per_transaction = 0; INSERT INTO job SELECT g FROM generate_series(10001, 13000) AS g');
$server->poll_query_until('postgres', q{SELECT count(*) > 300 FROM automation.attempt WHERE outcome = 'delivered'}) or die 'not delivered';
append_to_file("$faults/an answer begins", 'sleep 7000');
for (1 .. 1000)
{
	last unless -e "$faults/an answer begins";
	sleep 0.005;
}
$server->ask("SELECT pg_terminate_backend($worker)");
$server->poll_query_until('postgres', q{SELECT bool_and(state = 'delivered') FROM automation.deliveries}) or die 'not delivered';
my %told = map { $_->{json}{job} => 1 } $web->received;
is_deeply([ grep { !$told{$_} } 10001 .. 13000 ], [], 'what is delivered by its record has arrived');

$server->stop;
done_testing();
