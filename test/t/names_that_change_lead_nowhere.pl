# A name server that first says what is allowed, and then what is not, gets nothing sent to where it must not go; nor does
# any spelling of an inner address, nor a connection that was opened while the policy was another.
#
# In namespaces of its own, where it is free to say who resolves names, and to listen on port 53.
use strict;
use warnings;
use Test::More;

# Before PostgreSQL's modules are there: these lead our output elsewhere.
BEGIN
{
	unless ($ENV{IN_NAMESPACE})
	{
		# Twice: root of the inside may bind and mount, the server must not be root.
		my ($uid, $gid) = ($>, $) + 0);
		my $server = "unshare --user --map-user=$uid --map-group=$gid";
		my @steps  = (
			[ 'a loopback device',          'ip link set lo up' ],
			[ 'a name server',              'echo "nameserver 127.0.0.1" >"$TESTDIR/resolv.conf" && mount --bind "$TESTDIR/resolv.conf" /etc/resolv.conf' ],
			[ 'port 53',                    'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start' ],
			[ 'a namespace in a namespace', "$server true" ]);
		# What a container allows ends at any of them.
		my $setup = join "\n", 'skip() { echo "1..0 # SKIP $1 is not to be had in a namespace here"; exit 0; }',
		  (map { "{ $_->[1]; } || skip '$_->[0]'" } @steps), "IN_NAMESPACE=1 exec $server \"\$\@\"";
		plan skip_all => 'namespaces are not to be had here' if system 'unshare --user --map-root-user --mount --net true 2>/dev/null';
		exec 'unshare', '--user', '--map-root-user', '--mount', '--net', 'sh', '-c', $setup, 'sh', $^X, (map { "-I$_" } @INC), $0 or die "unshare: $!";
	}
}
use Server;
use Sink;

my $allowed = Sink->start('http', '--host', '127.0.0.2');
my $port    = $allowed->port;
my $inner   = Sink->start('http', '--host', '127.0.0.1', '--port', $port);
my $names   = fork() // die "fork: $!";
if ($names == 0)
{
	open STDOUT, '>', "$ENV{TESTDIR}/names" or die "names: $!";
	exec 'test/servers/dns_server.py', '127.0.0.1', "$ENV{TESTDIR}/dns.port", 'rebind.example=127.0.0.2,127.0.0.1', 'both.example=127.0.0.1+127.0.0.2',
	  'inner.example=127.0.0.1'
	  or die "dns_server.py: $!";
}
END { kill 'TERM', $names if $names }
select undef, undef, undef, 0.05 until -s "$ENV{TESTDIR}/dns.port";

my $server = Server->begin('main');
$server->ask(<<"END");
	CREATE EXTENSION pg_automation;
	ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.2/32', ADD allowed_ports '$port');
	CREATE TABLE call (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text);
	SELECT automation.attach('call', 'call');
END

sub channel
{
	my ($name, $host) = @_;
	$server->ask(<<"END");
		CREATE SERVER "$name" FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://$host:$port', retry_delay '1h', breaker_failures '0');
		SELECT automation.create_rule('$name', 'call', 'created', condition => 'new.channel = ''$name''', activate => true, steps => ARRAY[automation.send_webhook('$name')]);
END
	return;
}

# What became of one call.
sub call
{
	my ($channel) = @_;
	my $before = $server->ask("SELECT count(*) FROM automation.attempts WHERE outcome <> 'delivering'");
	$server->ask("INSERT INTO call (channel) VALUES ('$channel')");
	$server->poll_query_until('postgres', "SELECT count(*) > $before FROM automation.attempts WHERE outcome <> 'delivering'") or die 'no attempt';
	return $server->ask('SELECT outcome, reason FROM automation.attempts ORDER BY id DESC LIMIT 1');
}

sub is_blocked
{
	my ($got, $address, $name) = @_;
	like($got, qr/^retry\|host "[^"]+" resolves to blocked address \Q$address\E$/, $name);
	return;
}

# Names. Two workers: libcurl keeps what a name means for a minute, a new worker asks anew.
channel($_, "$_.example") for qw(rebind both inner);
is_blocked(call('inner'), '127.0.0.1', 'a name of an inner address');
is(call('rebind'), 'delivered|', 'a name of an allowed address');
$server->restart;
is_blocked(call('rebind'), '127.0.0.1', 'that has become one of an inner address');
$server->restart;
is(call('rebind'), 'delivered|', 'and is allowed again');
is(call('both'), 'delivered|', 'of two addresses the inner one is passed over');
is(scalar $allowed->received, 3, 'the allowed host was called');
is_deeply([ $inner->received ], [], 'the inner one was not');
is(`grep -c rebind "$ENV{TESTDIR}/names"` + 0, 3, 'though the name server has sent us there');

# Spellings. While everything is allowed, channels are made; then that is taken back.
my @spellings = ('127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0', 'localhost', '[::1]', '[::]', '[::ffff:127.0.0.1]',
	'[::ffff:a9fe:a9fe]', '[64:ff9b::7f00:1]', '[fe80::1%25lo]', '169.254.169.254', '10.0.0.1', '100.100.100.200');
for my $spelling (@spellings, 'user@127.0.0.1')
{
	my ($status, undef, $error) = $server->psql('postgres', "CREATE SERVER x FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://$spelling:$port')");
	like($error, $spelling =~ /@/ ? qr/must not contain user name/ : qr/address \S+ is not allowed for webhooks/, "no channel leads to $spelling");
}
$server->ask(q{ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (SET allowed_networks '0.0.0.0/0, ::/0')});
channel($_, $_) for @spellings;
for my $spelling (@spellings[ 0 .. 4 ])
{
	is(call($spelling), 'delivered|', "$spelling, where that is allowed");
}
is(scalar $inner->received, 5, 'arrives');
$server->ask(q{ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (SET allowed_networks '127.0.0.2/32')});
for my $spelling (@spellings)
{
	like(call($spelling), qr/^retry\|address \S+ is not allowed for webhooks$/, "$spelling, where it is no more");
}
is(scalar $inner->received, 5, 'does not, though a connection was open');

# Connections that are kept are those of one policy.
$server->ask(q{ALTER SERVER "inner" OPTIONS (SET base_url 'http://127.0.0.2:} . $port . q{')});
is(call('inner'), 'delivered|', 'the allowed host') for 1 .. 2;
my @calls = $allowed->received;
is($calls[-1]{connection}, $calls[-2]{connection}, 'is called through one connection') or diag('a change of policy has come before');
$server->ask(q{ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (SET allowed_networks '127.0.0.2/32, 10.0.0.0/8')});
is(call('inner'), 'delivered|', 'after another change');
@calls = $allowed->received;
isnt($calls[-1]{connection}, $calls[-2]{connection}, 'through a new one');

$server->stop;
done_testing();
