# What can go wrong between us and a server, and what becomes of the attempt: not sent, and so to be sent
# again; refused for good; taken, whatever came after; or unknown, as it may have been taken.
use strict;
use warnings;
use IO::Socket::INET;
use Server;
use Sink;
use Test::More;

my %web = (
	http   => Sink->start('http'),
	closed => Sink->start('http', '--drop', 'close'),
	reset  => Sink->start('http', '--drop', 'reset'),
	tls    => Sink->start('http', '--tls'));
my %mail = (
	mail     => Sink->start('smtp'),
	greeting => Sink->start('smtp', '--greeting', '421'),
	refusal  => Sink->start('smtp', '--greeting', '554'),
	login    => Sink->start('smtp', '--auth', 'office:right'));

# A port where nobody listens, and one whose queue is full, so that nobody gets an answer.
my $nobody = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport;
my $full   = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
my @queue  = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Blocking => 0) } 1 .. 8;

my $server = Server->begin('main', 'pg_automation.request_timeout' => '1500ms', 'pg_automation.connect_timeout' => '700ms');
$server->ask(<<'END');
	CREATE EXTENSION pg_automation;
	ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
END
my %url = (
	nobody   => "http://127.0.0.1:$nobody",
	full     => 'http://127.0.0.1:' . $full->sockport,
	unknown  => 'http://no-such-host.invalid',
	untls    => 'https://127.0.0.1:' . $web{http}->port,
	map({ $_ => 'http://127.0.0.1:' . $web{$_}->port } qw(http closed reset)),
	tls => 'https://127.0.0.1:' . $web{tls}->port);
$server->ask("CREATE SERVER \"$_\" FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url '$url{$_}', retry_delay '24h')")
  for sort keys %url;
my %sender = (sender450 => 'tempfail450@firm.example', sender550 => 'reject550@firm.example', nomail => 'office@firm.example');
for my $name (keys %mail, keys %sender)
{
	my $port   = $name eq 'nomail' ? $nobody : ($mail{$name} // $mail{mail})->port;
	my $sender = $sender{$name} // 'office@firm.example';
	$server->ask(<<"END");
		CREATE SERVER $name FOREIGN DATA WRAPPER pg_automation
			OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:$port', sender '$sender', starttls 'off', retry_delay '24h');
END
}
$server->ask("CREATE USER MAPPING FOR PUBLIC SERVER login OPTIONS (username 'office', password 'wrong')");

# Channel, path or recipient, what becomes of the attempt, the server's code, and why.
my @faults = (
	# Not sent.
	[ unknown => '',                     'retry',   '',  'no such host' ],
	[ nobody  => '',                     'retry',   '',  'refused' ],
	[ full    => '',                     'retry',   '',  'no answer to the connection' ],
	[ tls     => '',                     'retry',   '',  'a certificate that nobody vouches for' ],
	[ untls   => '',                     'retry',   '',  'no TLS' ],
	# Sent, and no answer.
	[ closed => '',                      'unknown', '',  'closed at once' ],
	[ reset  => '',                      '(retry|unknown)', '', 'reset at once, before or after the request' ],
	[ http   => '/cut/unread',           'unknown', '',  'closed in the middle' ],
	[ http   => '/cut/unanswered',       'unknown', '',  'closed after the request' ],
	[ http   => '/cut/reset',            'unknown', '',  'reset after the request' ],
	[ http   => '/delay/5000',           'unknown', '',  'an answer that is too late' ],
	[ http   => '/drip/100',             'unknown', '',  'an answer that drips' ],
	[ http   => '/garbage/1',            'unknown', '',  'an answer that is no HTTP' ],
	# Taken.
	[ http => '',                        'delivered', 200, 'taken' ],
	[ http => '/status/202/early/103',   'delivered', 202, 'taken after an early hint' ],
	[ http => '/cut/midway',             'delivered', 200, 'taken, then cut' ],
	[ http => '/fill/endless',           'delivered', 200, 'taken, with a body without end' ],
	[ http => '/fill/200000',            'delivered', 200, 'taken, with more body than we want' ],
	[ http => '/headers/400000',         'delivered', 200, 'taken, with more headers than we want' ],
	# To be tried again; for good; and the channel is gone.
	map([ http => "/status/$_", 'retry', $_, "HTTP $_" ], 408, 425, 429, 500, 502, 503, 504),
	map([ http => "/status/$_", 'dead', $_, "HTTP $_" ], 301, 307, 400, 401, 404, 422, 501),
	# E-mail: before the message,
	[ nomail    => 'ann@x.example',           'retry', '',  'no mail server' ],
	[ greeting  => 'ann@x.example',           'retry', 421, 'turned away for now' ],
	[ refusal   => 'ann@x.example',           'dead',  554, 'turned away for good' ],
	[ sender450 => 'ann@x.example',           'retry', 450, 'MAIL refused for now' ],
	[ sender550 => 'ann@x.example',           'dead',  550, 'MAIL refused for good' ],
	[ mail      => 'tempfail451@x.example',   'retry', 451, 'RCPT refused for now' ],
	[ mail      => 'reject550@x.example',     'dead',  550, 'RCPT refused for good' ],
	[ mail      => 'hangup@x.example',        'retry', 250, 'cut at RCPT' ],
	[ mail      => 'nodata451@x.example',     'retry', 451, 'DATA refused for now' ],
	[ mail      => 'nodata554@x.example',     'dead',  554, 'DATA refused for good' ],
	[ login     => 'ann@x.example',           'retry', 535, 'a password that is wrong' ],
	# and after it.
	[ mail => 'data451@x.example',            'retry',     451, 'refused for now after the message' ],
	[ mail => 'data554@x.example',            'dead',      554, 'refused for good after the message' ],
	[ mail => 'cut@x.example',                'unknown',   354, 'cut after the message' ],
	[ mail => 'delay5000@x.example',          'unknown',   354, 'no answer after the message' ],
	[ mail => 'ann@x.example',                'delivered', 250, 'taken' ]);

# The finished message, as a rule would leave it.
sub enqueue
{
	my ($channel, $target) = @_;
	my $kind = $target =~ /@/ ? 'email' : 'webhook';
	my $what = $kind eq 'email' ? '{"subject": "s", "body": "b"}' : qq({"path": "$target", "body": {"a": 1}, "method": "POST"});
	return $server->ask(<<"END");
		INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, recipient, message)
		SELECT now(), pg_current_xact_id(), 10, s.oid, s.srvname, '$kind', '$target', '$what'
		FROM pg_foreign_server AS s WHERE s.srvname = '$channel'
		RETURNING id;
END
}

my @ids = map { enqueue(@$_) } @faults;
$server->ask('SELECT automation._wake_worker()');
$server->poll_query_until('postgres', "SELECT count(*) = @{[ scalar @ids ]} FROM automation.attempt WHERE outcome IS NOT NULL")
  or die 'not all was attempted';
for my $fault (@faults)
{
	my (undef, undef, $outcome, $code, $name) = @$fault;
	my $got = $server->ask('SELECT outcome, status_code, reason FROM automation.attempt WHERE delivery_id = ' . shift @ids);
	like($got, qr/^$outcome\|$code\|/, $name) or diag($got);
}

# 410: nothing more goes there until somebody says so.
my $gone = enqueue('closed', '');
$server->ask("ALTER SERVER closed OPTIONS (SET base_url '$url{http}')");
enqueue('closed', '/status/410');
$server->ask('SELECT automation._wake_worker()');
$server->poll_query_until('postgres', q{SELECT state = 'paused' FROM automation.channels WHERE name = 'closed'}) or die 'not paused';
is($server->ask(q{SELECT reason FROM automation.channels WHERE name = 'closed'}), 'HTTP 410: the endpoint is gone', 'an endpoint that is gone pauses its channel');
my $held = enqueue('closed', '');
is($server->ask("SELECT state, reason FROM automation.deliveries WHERE id = $held"), 'held|HTTP 410: the endpoint is gone', 'which holds the next one, and says why');

# Retry-After counts, up to a day.
for my $wait ([ 7200, '7200' ], [ 1000000, '86400' ])
{
	my $id = enqueue('http', "/status/429/retry-after/$wait->[0]");
	$server->ask("ALTER SERVER http OPTIONS (SET retry_delay '1s')");
	$server->ask('SELECT automation._wake_worker()');
	$server->poll_query_until('postgres', "SELECT outcome = 'retry' FROM automation.attempt WHERE delivery_id = $id") or die 'no attempt';
	is($server->ask("SELECT round(extract(epoch FROM retry_at - finished_at)) FROM automation.attempt WHERE delivery_id = $id"),
		$wait->[1], "Retry-After: $wait->[0]");
}

$server->stop;
done_testing();
