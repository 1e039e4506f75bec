# What Twilio says of a message decides what becomes of it, in the answer and later.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
my $url = 'http://127.0.0.1:' . $web->port;

# The code of an error, the HTTP status, and what becomes of the message.
my %fate = (
	21610 => [ 400, 'dead|Twilio 21610: the recipient has opted out' ],
	21211 => [ 400, 'dead|Twilio 21211: invalid phone number' ],
	21614 => [ 400, 'dead|Twilio 21614: not a mobile number' ],
	20429 => [ 429, 'retrying|Twilio 20429: too many requests' ],
	30001 => [ 400, 'dead|HTTP 400 (Twilio 30001)' ]);
$server->ask(<<'END');
	CREATE TABLE contact (id bigint PRIMARY KEY, phone text, channel text);
	SELECT automation.attach('contact', 'contact');
	SELECT automation.create_rule('fine', 'contact', 'created', condition => 'new.channel = ''twilio''', activate => true,
		steps => ARRAY[automation.send_sms('twilio', '{{ phone }}', '"sid": "{{ id }}"')]);
END
for my $code (sort keys %fate)
{
	$server->ask(<<"END");
		CREATE SERVER t$code FOREIGN DATA WRAPPER pg_automation
			OPTIONS (channel 'sms', base_url '$url/status/$fate{$code}[0]/code/$code', sender '+15005550006', retry_delay '1h');
		CREATE USER MAPPING FOR PUBLIC SERVER t$code OPTIONS (username 'AC00000000000000000000000000000000', password 'file:token');
		SELECT automation.create_rule('$code', 'contact', 'created', condition => 'new.channel = ''t$code''', activate => true,
			steps => ARRAY[automation.send_sms('t$code', '{{ phone }}', 'x')]);
		INSERT INTO contact VALUES ($code, '+120255$code', 't$code');
END
}
$server->poll_query_until('postgres', q{SELECT count(*) = 5 FROM automation.attempts WHERE outcome <> 'delivering'}) or die 'not all was attempted';
is($server->ask("SELECT state, reason FROM automation.deliveries WHERE rule = '$_'"), $fate{$_}[1], "error $_") for sort keys %fate;
is($server->ask("SELECT class, state, source FROM automation.consents('sms', '+12025521610')"),
	'all|denied|Twilio 21610: the recipient has opted out', 'who has opted out is in the ledger');
is($server->ask("SELECT count(*) FROM automation.consent"), 1, 'and nobody else');

# Nothing more goes to him, whatever the channel, and not even when somebody retries.
$server->ask("INSERT INTO contact VALUES (1, '+12025521610', 'twilio')");
like($server->ask(q{SELECT status, reason FROM automation.step_log WHERE rule = 'fine'}), qr/^suppressed\|consent: /, 'nothing more is sent to him');
$server->ask(q{SELECT automation.retry(id) FROM automation.deliveries WHERE rule = '21610'});
ok($server->poll_query_until('postgres', q{SELECT state = 'suppressed' FROM automation.deliveries WHERE rule = '21610'}), 'nor is it by a retry');

# The sid of the answer leads a status back to its message.
$server->ask("INSERT INTO contact VALUES (2, '+12025550100', 'twilio')");
$server->poll_query_until('postgres', q{SELECT count(*) = 1 FROM automation.deliveries WHERE rule = 'fine' AND state = 'delivered'}) or die 'not delivered';
my $sid = $server->ask(q{SELECT r.provider_id FROM automation.receipt AS r JOIN automation.deliveries AS d ON d.id = r.delivery_id WHERE d.rule = 'fine'});
like($sid, qr/^SM[0-9a-f]{32}$/, 'the sid is kept');
$server->ask(qq{SELECT automation.record_callback('twilio', '{"MessageSid": "$sid", "MessageStatus": "undelivered", "ErrorCode": "30005"}')});
is($server->ask(q{SELECT d.rule, r.state, r.error_code FROM automation.receipts AS r JOIN automation.deliveries AS d ON d.id = r.delivery_id}),
	'fine|undelivered|30005', 'and leads a status to its message');

# A call is checked with the secret that the channel sends with, which the caller never sees.
my $right = `printf '%s' 'https://crm.example/smsBodySTOPFrom+12025550100' | openssl dgst -sha1 -hmac 'only the worker reads this' -binary | openssl base64`;
chomp $right;
my $check = q{SELECT automation.verify_twilio_signature('twilio', 'https://crm.example/sms', '{"From": "+12025550100", "Body": "STOP"}', '%s')};
is($server->ask(sprintf $check, $right), 't', 'a signature is checked with the secret in its file');
is($server->ask(sprintf $check, 'x' . substr $right, 1), 'f', 'and a wrong one is wrong');

# STOP is confirmed once, though he wants nothing.
$server->ask(q{ALTER SERVER twilio OPTIONS (ADD stop_reply 'You are out.')});
my $before = $web->received;
$server->ask(qq{SELECT automation.record_callback('twilio', '{"MessageSid": "SM$_", "From": "+12025550100", "Body": "Stop"}')}) for 1, 1, 2;
my @received = $web->wait_for($before + 1);
is($received[-1]{form}{Body}, 'You are out.', 'a STOP is confirmed');
$server->ask("INSERT INTO contact VALUES (3, '+12025550101', 'twilio')");
@received = $web->wait_for($before + 2);
is($received[-1]{form}{To}, '+12025550101', 'once');

# Who was erased meanwhile cannot be noted; the worker goes on.
$server->ask(<<"END");
	CREATE SERVER slow FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'sms', base_url '$url/delay/2000/status/400/code/21610', sender '+15005550006');
	CREATE USER MAPPING FOR PUBLIC SERVER slow OPTIONS (username 'AC00000000000000000000000000000000', password 'file:token');
	SELECT automation.create_rule('slow', 'contact', 'created', condition => 'new.channel = ''slow''', activate => true,
		steps => ARRAY[automation.send_sms('slow', '{{ phone }}', 'x')]);
	INSERT INTO contact VALUES (4, '+12025550104', 'slow');
END
$server->poll_query_until('postgres', q{SELECT state = 'delivering' FROM automation.deliveries WHERE rule = 'slow'}) or die 'not begun';
$server->ask("SELECT automation.erase_address('sms', '+12025550104')");
ok($server->poll_query_until('postgres', q{SELECT state = 'dead' FROM automation.deliveries WHERE rule = 'slow'}), 'one who opts out and was erased');

$server->stop;
done_testing();
