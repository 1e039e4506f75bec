# What we send by e-mail is read by parsers that others have written, mailparser (with ical.js) and Python's, as it was
# meant: text, HTML, attachments, invitations that move and end, the way out of a mailing.
use strict;
use warnings;
use utf8;
use Encode   ();
use IPC::Run ();
use JSON::PP ();
use Server;
use Sink;
use Test::More;

my $mail   = Sink->start('smtp');
my $server = Server->begin('main');
$server->ask(<<"END");
	CREATE EXTENSION pg_automation;
	ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allowed_networks '127.0.0.0/8');
	CREATE SERVER office FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:@{[ $mail->port ]}', starttls 'off',
		sender '"Büro, Süd" <office\@firm.example>', reply_to 'desk\@firm.example', unsubscribe_url 'https://crm.example/out?t={{token}}',
		retry_delay '10ms', max_attempts '2');
	CREATE TABLE visit (id bigint PRIMARY KEY, email text, subject text, body text, starts_at timestamptz, class text, contract bytea);
	SELECT automation.attach('visit', 'visit');
END

# The raw message, and what each parser makes of it.
my $count = 0;
sub letter
{
	my ($statement) = @_;
	$server->ask($statement);
	return ($mail->wait_for(++$count))[-1]{message};
}

sub read_with
{
	my ($message, @command) = @_;
	utf8::encode(my $bytes = $message);
	my ($out, $error);
	IPC::Run::run(\@command, '<', \$bytes, '>', \$out, '2>', \$error) or die "@command: $error\n";
	return JSON::PP->new->utf8->decode($out);
}
sub by_mailparser { return read_with($_[0], 'test/npm', 'read_mail.js') }
sub by_python { return read_with($_[0], 'test/servers/read_mail.py') }

# Lines that are longer than a relay must take, or an end of a line that is none.
sub is_clean
{
	my ($message, $name) = @_;
	ok(!(grep { length > 998 } split /\r\n/, $message) && $message !~ /(?<!\r)\n|\r(?!\n)|[^\x00-\x7f]/, "$name: lines and bytes");
	is_deeply(by_python($message)->{defects}, [], "$name: Python finds no defect");
	return;
}

my $text = "Grüße,\r\n.\r\nFrom here on\r\n..two dots  \r\n" . 'x' x 500 . " =3D\r\n日本 😀";
my $html = '<p>Grüße &amp; <b>日本</b></p>';

# Text, HTML and three attachments: a document made by the rule, one of somebody's, and a column.

$server->ask(<<'END');
	SELECT automation.create_rule('contract', 'visit', 'created', condition => 'new.class IS NULL', activate => true, steps => ARRAY[
		automation.generate_document('Vertrag {{ id }} – "Süd".html', html => '<h1>{{ subject }}</h1>'),
		automation.send_email('office', '{{ email }}', '{{ subject }}', '{{ body }}', '<p>Grüße &amp; <b>日本</b></p>',
			'{"attachments": ["Vertrag {{ id }} – \"Süd\".html", {"document": "plan.bin"},
				{"name": "scan.pdf", "type": "application/pdf", "content": "{{ contract }}"}], "reply_to": "ann@firm.example"}')]);
END
my $bytes = join '', map { sprintf '%02x', $_ % 256 } 0 .. 999;
$server->ask("SELECT automation.add_document('visit', '1', 'plan.bin', '\\x$bytes')");
(my $quoted = $text) =~ s/\r\n/\n/g;
my $message = letter("INSERT INTO visit VALUES (1, 'cut+1\@x.example', 'Ihr Vertrag: 日本, 😀 und ein recht langer Betreff, der über die Zeile hinausgeht', '$quoted', now(), NULL, '\\x255044462d00ff')");
is_clean($message, 'contract');
my $read = by_mailparser($message);
is($read->{subject}, 'Ihr Vertrag: 日本, 😀 und ein recht langer Betreff, der über die Zeile hinausgeht', 'mailparser reads the subject');
is($read->{from}[0]{name}, 'Büro, Süd', 'the name of the sender');
is($read->{replyTo}, 'ann@firm.example', 'where answers go');
is($read->{text} =~ s/\n\z//r, $quoted, 'the text');
is($read->{html} =~ s/\n\z//r, $html, 'the HTML');
is_deeply([ map { "$_->{name} $_->{type} $_->{size}" } @{ $read->{attachments} } ],
	[ 'Vertrag 1 – "Süd".html text/html ' . length(Encode::encode('UTF-8', "<h1>$read->{subject}</h1>")), 'plan.bin application/octet-stream 1000', 'scan.pdf application/pdf 7' ],
	'the attachments');
my @parts = @{ by_python($message)->{parts} };
is_deeply([ map { $_->{type} } @parts ], [qw(text/plain text/html text/html application/octet-stream application/pdf)], 'Python reads the same parts');
is($parts[0]{text} =~ s/\r\n/\n/gr =~ s/\n\z//r, $quoted, 'the same text');
is($parts[2]{filename}, 'Vertrag 1 – "Süd".html', 'the same name of a file');
is($parts[3]{hex}, $bytes, 'and every byte');
is($parts[4]{hex}, '255044462d00ff', 'of both');
is($read->{unsubscribe}, undef, 'there is no way out of what is no mailing');

# The connection broke after the message: it comes again, as the same message.
my ($first, $second) = map { by_mailparser($_->{message}) } ($mail->wait_for(++$count))[ -2, -1 ];
is($second->{messageId}, $first->{messageId}, 'a second attempt has the Message-ID of the first');
like($first->{messageId}, qr/^<msg_[0-9a-f]{32}_\d+_\d+\@firm\.example>$/, 'which is one in the world');

# An appointment: made, moved, called off.

$server->ask(<<'END');
	SELECT automation.create_rule('invite', 'visit', 'created', condition => 'new.class = ''visit''', activate => true, steps => ARRAY[
		automation.send_calendar_invite('office', '{{ email }}', 'Besuch; bei {{ subject }}', 'starts_at', location => 'Hof 5, links', description => E'{{ body }}', options => '{"duration": "90 minutes"}')]);
	SELECT automation.create_rule('move', 'visit', 'updated', condition => 'new.starts_at IS DISTINCT FROM old.starts_at', activate => true, steps => ARRAY[
		automation.send_calendar_invite('office', '{{ email }}', 'Besuch', '{{ starts_at }}', '2030-05-02 18:00+02')]);
	SELECT automation.create_rule('call off', 'visit', 'deleted', activate => true, steps => ARRAY[
		automation.send_calendar_invite('office', '{{ email }}', 'Besuch', 'starts_at', method => 'cancel')]);
END
$message = letter("INSERT INTO visit VALUES (2, 'ann\@x.example', 'Ann, \"A\"', E'Zeile 1\\nZeile 2; mit, allem \\\\ " . '日' x 60 . "', '2030-05-01 10:00+02', 'visit')");
is_clean($message, 'invitation');
my ($made) = @{ by_mailparser($message)->{appointments} };
is_deeply($made, {
	method => 'REQUEST', uid => $made->{uid}, sequence => $made->{sequence}, start => '2030-05-01T08:00:00Z', end => '2030-05-01T09:30:00Z',
	summary => 'Besuch; bei Ann, "A"', location => 'Hof 5, links', description => "Zeile 1\nZeile 2; mit, allem \\ " . '日' x 60, status => 'CONFIRMED',
	organizer => 'mailto:office@firm.example', attendees => ['mailto:ann@x.example'] }, 'ical.js reads the appointment');
like($message, qr/Content-Type: text\/calendar; method=REQUEST; charset=utf-8/, 'mail programs see that it is an invitation');
my ($moved) = @{ by_mailparser(letter("UPDATE visit SET starts_at = '2030-05-02 15:00+00' WHERE id = 2"))->{appointments} };
is_deeply([ @$moved{qw(method uid start end)} ], [ 'REQUEST', $made->{uid}, '2030-05-02T15:00:00Z', '2030-05-02T16:00:00Z' ], 'one that moves is the same');
$message = letter('DELETE FROM visit WHERE id = 2');
is_clean($message, 'cancellation');
my ($ended) = @{ by_mailparser($message)->{appointments} };
is_deeply([ @$ended{qw(method uid status)} ], [ 'CANCEL', $made->{uid}, 'CANCELLED' ], 'one that is called off is too');
ok($made->{sequence} < $moved->{sequence} && $moved->{sequence} < $ended->{sequence}, 'each comes after the one before');
$message = letter("INSERT INTO visit VALUES (3, 'ann\@x.example', 'x', 'y', '2030-05-01 10:00+02', 'visit')");
isnt(by_mailparser($message)->{appointments}[0]{uid}, $made->{uid}, 'another row has another appointment');

# A mailing, and the way out of it.

$server->ask(<<'END');
	SELECT automation.create_rule('news', 'visit', 'created', condition => 'new.class = ''marketing''', activate => true, steps => ARRAY[
		automation.send_email('office', '{{ email }}', '{{ subject }}', 'x', options => '{"class": "marketing"}')]);
	SELECT automation.set_consent('email', 'Bob@x.example', 'marketing', 'granted', 'web form');
END
$message = letter("INSERT INTO visit VALUES (4, 'bob\@x.example', 'News', NULL, now(), 'marketing')");
is_clean($message, 'mailing');
$read = by_mailparser($message);
my ($token) = $read->{unsubscribe}{url} =~ m{^https://crm\.example/out\?t=([A-Za-z0-9_-]+)$};
ok($token, 'mailparser reads the link') or diag($read->{unsubscribe}{url});
is($read->{unsubscribePost}, 'List-Unsubscribe-Post: List-Unsubscribe=One-Click', 'one click is enough');
is($server->ask("SELECT automation.unsubscribe('$token')"), 'marketing', 'the click is understood');
$server->ask("INSERT INTO visit VALUES (5, 'BOB\@x.example', 'More news', NULL, now(), 'marketing')");
like($server->ask("SELECT status, reason FROM automation.step_log WHERE key = '5'"), qr/^suppressed\|consent: marketing messages refused on .* \(unsubscribe link\)$/,
	'and obeyed');

# Letters of one channel follow each other over the connections that are there, until what is allowed changes.
my %connections = map { $_->{connection} => 1 } $mail->received;
cmp_ok(scalar keys %connections, '<', $count / 2, 'a connection carries several letters');
$server->ask(q{ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (SET allowed_networks '127.0.0.0/9')});
$server->ask(q{SELECT automation.set_consent('email', 'cy@x.example', 'marketing', 'granted', 'web form')});
letter("INSERT INTO visit VALUES (7, 'cy\@x.example', 'News', NULL, now(), 'marketing')");
ok(!$connections{ ($mail->received)[-1]{connection} }, 'none of them is used once the policy is another one');

# A document that goes before the message does.
$server->ask(q{SELECT automation.pause_channel('office'); SELECT automation.add_document('visit', '6', 'plan.bin', '\x00')});
$server->ask(q{INSERT INTO visit VALUES (6, 'ann@x.example', 'x', 'y', now(), NULL, '\x00')});
$server->ask(q{SELECT automation.remove_document(id) FROM automation.documents WHERE key = '6' AND name = 'plan.bin'});
$server->ask(q{SELECT automation.resume_channel('office')});
ok($server->poll_query_until('postgres', q{SELECT count(*) = 1 FROM automation.deliveries WHERE state = 'dead' AND reason = 'an attachment of the message is not there any more'}),
	'a message whose attachment is gone does not leave without it');

$server->stop;
done_testing();
