# Whoever makes or alters a channel can have no secret sent but to the host that the secret is for.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $port   = $web->port;
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->secret('elsewhere', 'a secret of another host', 'api.twilio.com');
append_to_file($server->basedir . '/secrets/nowhere', 'a secret of no host');
chmod 0600, $server->basedir . '/secrets/nowhere';

# A role that may make channels, and whose rule sends through each.
$server->ask(<<'END');
	CREATE ROLE agent;
	GRANT CREATE ON DATABASE postgres TO agent;
	SELECT automation.grant_access('agent', 'admin');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text);
	ALTER TABLE job OWNER TO agent;
	GRANT USAGE ON SCHEMA public TO agent;
END
$server->ask(<<"END") for qw(token elsewhere nowhere);
	SET ROLE agent;
	CREATE SERVER $_ FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://127.0.0.1:$port', retry_delay '50ms');
	CREATE USER MAPPING FOR agent SERVER $_ OPTIONS (token 'file:$_');
END
$server->ask(<<'END');
	SET ROLE agent;
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.channel = %L', name), activate => true,
		steps => ARRAY[automation.send_webhook(name, '/' || name)])
	FROM unnest('{token,elsewhere,nowhere}'::text[]) AS name;
END

sub reason_of
{
	my ($channel) = @_;
	$server->ask("INSERT INTO job (channel) VALUES ('$channel')");
	my $last = "FROM automation.attempts WHERE channel = '$channel' AND outcome <> 'delivering'";
	$server->poll_query_until('postgres', "SELECT count(*) > 0 $last") or die 'no attempt';
	return $server->ask("SELECT coalesce(reason, outcome) $last ORDER BY id LIMIT 1");
}

is(reason_of('token'), 'delivered', 'a secret of the host goes out');
my ($request) = $web->wait_for(1);
my %headers = map { lc $_->[0] => $_->[1] } @{ $request->{headers} };
is($headers{authorization}, 'Bearer only the worker reads this', 'to the host');
is(reason_of('elsewhere'), 'could not open secret "127.0.0.1/elsewhere": No such file or directory', 'that of another host does not');
is(reason_of('nowhere'), 'could not open secret "127.0.0.1/nowhere": No such file or directory', 'nor does that of none');

# An owner of the channel who moves it gets nothing either: 127.0.0.2 is another host, and he listens there.
my $evil = Sink->start('http', '--host', '127.0.0.2');
$server->ask("SET ROLE agent; ALTER SERVER token OPTIONS (SET base_url 'http://127.0.0.2:@{[ $evil->port ]}')");
$server->ask("INSERT INTO job (channel) VALUES ('token')");
$server->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM automation.attempts WHERE reason = 'could not open secret "127.0.0.2/token": No such file or directory'})
  or die 'no attempt';
is_deeply([ $evil->received ], [], 'nor does one whose channel was moved');

$server->stop;
done_testing();
