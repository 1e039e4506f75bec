# A physical copy, as pg_basebackup makes it, that is started by itself beside its original: it does nothing that
# is due and sends nothing until it is adopted, with nobody having set anything. The original goes on.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', wal_level => 'replica', max_wal_senders => 5, 'pg_automation.databases' => 'none');
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');

# What is on its way, and planned, when the copy is made: nobody works on it yet.
$server->ask("INSERT INTO job VALUES (1, '+12025550199'); INSERT INTO job VALUES (2)");
$server->backup('copy');
$server->append_conf('postgresql.conf', "pg_automation.databases = ''");

my $clone = Server->new('clone');
$clone->init_from_backup($server, 'copy');
$clone->append_conf('postgresql.conf', "pg_automation.databases = ''");
$clone->start;
$clone->worker('postgres');
$clone->wait_for_log(qr/WARNING:  deliveries are on hold because this database was restored or copied/);
$clone->poll_query_until('postgres', 'SELECT count(*) = 0 FROM automation.due WHERE due_at > automation._now()');
is($clone->ask('SELECT automation.tick()'), 0, 'in a clone what is due is not done');
is($clone->told, '1 tell held, 1 tell held, 1 remind waiting, 2 tell held, 2 remind waiting', 'and what was on its way is held');
like($clone->finding('home'), qr/^It was started from a backup of \d{4}-\d\d-\d\d .*\. What it holds may have been done and sent since\.$/,
	'check() says why');
my $transactions = q{SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()};
my $before       = $clone->ask("SELECT pg_sleep(1); $transactions") =~ s/^\n//r;
cmp_ok(($clone->ask("SELECT pg_sleep(4); $transactions") =~ s/^\n//r) - $before, '<', 30, 'nor is it looked for all the time');
$clone->ask('INSERT INTO job VALUES (3)');
$clone->restart;
$clone->worker('postgres');
is($clone->told =~ s/, 3.*//r, '1 tell held, 1 tell held, 1 remind waiting, 2 tell held, 2 remind waiting', 'a restart changes nothing');
is(scalar $web->received, 0, 'nothing has left');

# The original.
$server->reload;
$server->tells('1 tell delivered, 1 tell delivered, 1 remind delivered, 2 tell delivered, 2 remind delivered', 'the original goes on');
is($server->finding('home'), '', 'and is at home');
is(scalar $web->received, 5, 'it alone sends');

# Adopted.
$clone->ask("SELECT automation.adopt('discard')");
$clone->ask('INSERT INTO job VALUES (4)');
$clone->tells('1 tell cancelled, 1 tell cancelled, 1 remind waiting, 2 tell cancelled, 2 remind waiting, 3 tell cancelled, '
	. '3 remind waiting, 4 tell delivered, 4 remind delivered', 'adopted without what it had, a clone sends what is new');
is($clone->ask("SELECT string_agg(DISTINCT status || ' ' || reason, ', ') FROM automation.step_log WHERE rule = 'remind' AND status <> 'succeeded'"),
	'cancelled discarded when the database was adopted', 'what was planned is cancelled');
my @ids = map { my %headers = map { lc $_->[0] => $_->[1] } @{ $_->{headers} }; $headers{'webhook-id'} // () } $web->received;
is(scalar keys %{ { map { s/(_\d+)+$//r => 1 } @ids } }, 2, 'as somebody else');
$clone->restart;
$clone->ask('INSERT INTO job VALUES (5)');
$clone->poll_query_until('postgres', "SELECT state = 'delivered' FROM automation.deliveries ORDER BY id DESC LIMIT 1");
is($clone->finding('home'), '', 'and it is at home for good');

$_->stop for $clone, $server;
done_testing();
