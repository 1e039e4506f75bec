# A worker that is told to leave waits a while for what is under way. What is answered meanwhile is recorded then, and not
# only when the last one is.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
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

$server->stop;
done_testing();
