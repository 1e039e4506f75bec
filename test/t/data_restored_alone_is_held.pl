# Data that are restored apart from the schema meet rules and triggers. With --disable-triggers nothing fires; without
# it rules fire for the old rows as for any that is written, but nothing they send leaves, and adopt() can discard it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->ask('CREATE DATABASE crm');
$server->install('crm', $web);
$server->tell_of_jobs('crm');
$server->safe_psql('crm', 'INSERT INTO job VALUES (1), (2)');
$server->poll_query_until('crm', "SELECT count(*) = 4 FROM automation.deliveries WHERE state = 'delivered'");
my $sent = $web->received;
my $dump = "$ENV{TESTDIR}/crm.dump";
$server->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $server->connstr('crm') ], 'pg_dump');

sub restored
{
	my ($database, @options) = @_;
	my $into = $server->connstr($database);
	$server->ask("CREATE DATABASE $database");
	$server->safe_psql($database, <<'END');
		CREATE EXTENSION pg_automation;
		ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
END
	$server->command_ok([ 'pg_restore', '--exit-on-error', '--schema-only', '-d', $into, $dump ], "$database: the schema");
	$server->command_ok([ 'pg_restore', '--exit-on-error', '--data-only', @options, '-d', $into, $dump ], "$database: the data");
	return;
}

restored('quiet', '--disable-triggers');
is($server->told('quiet'), '', 'with --disable-triggers nothing fires');
is($server->safe_psql('quiet', 'SELECT count(*) FROM job'), 2, 'for the rows that are there');

restored('loud');
is($server->told('loud'), '1 tell held, 1 remind waiting, 2 tell held, 2 remind waiting', 'without it rules fire, but what they send is held');
is($server->safe_psql('loud', 'SELECT automation.tick()'), 0, 'and what is due is not done');
is(scalar $web->received, $sent, 'nothing has left');
$server->safe_psql('loud', "SELECT automation.adopt('discard')");
$server->safe_psql('loud', 'INSERT INTO job VALUES (3)');
$server->poll_query_until('loud', "SELECT count(*) = 2 FROM automation.deliveries WHERE state = 'delivered'");
is($server->told('loud'), '1 tell cancelled, 1 remind waiting, 2 tell cancelled, 2 remind waiting, 3 tell delivered, 3 remind delivered',
	'adopted with discard, only what is new leaves');
is(scalar $web->received, $sent + 2, 'once');

$server->stop;
done_testing();
