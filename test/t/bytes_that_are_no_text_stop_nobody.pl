# In a database with the encoding SQL_ASCII any bytes go for text. A recipient, a row, a word that is no UTF-8 ends its own
# message, and the others leave.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $mail   = Sink->start('smtp');
my $server = Server->begin('main');
$server->ask(q{CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$server->install('bytes', $web);
my $port = $mail->port;
$server->safe_psql('bytes', <<"END");
	CREATE SERVER office FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:$port', sender 'office\@firm.example', starttls 'off');
	CREATE TABLE letter (id bigint PRIMARY KEY, recipient text, body text);
	SELECT automation.attach('letter');
	SELECT automation.create_rule('write', 'letter', 'created', activate => true, steps => ARRAY[automation.send_email('office', '{{ recipient }}', 's', '{{ body }}')]);
	SELECT automation.create_rule('text', 'letter', 'created', activate => true, steps => ARRAY[automation.send_sms('twilio', '{{ recipient }}', '{{ body }}')]);
	SELECT automation.create_rule('hook', 'letter', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook', '/', '{"body": "{{ body }}"}')]);
	-- There is a key, so addresses are hashed.
	SELECT automation.set_consent('email', 'somebody\@x.example', 'all', 'denied', 'form');
	INSERT INTO letter VALUES (1, E'l\\xffna\@x.example', 'fine'), (2, 'fine\@x.example', E'b\\xff\\xc3'), (3, E'+1202555\\xff0101', 'fine'), (4, 'last\@x.example', 'fine');
	-- However such a recipient came there.
	INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, recipient, message)
	SELECT now(), pg_current_xact_id(), 10, s.oid, s.srvname, k.kind, E'l\\xffna\@x.example', jsonb_build_object('body', 'x', 'subject', 's')
	FROM (VALUES ('email', 'office'), ('sms', 'twilio')) AS k(kind, channel) JOIN pg_foreign_server AS s ON s.srvname = k.channel;
END
$server->safe_psql('bytes', q{INSERT INTO letter VALUES (5, 'later@x.example', 'fine')});
ok($server->poll_query_until('bytes', q{SELECT NOT EXISTS (SELECT FROM automation.deliveries WHERE state IN ('ready', 'delivering', 'retrying'))}), 'all come to an end');
is($server->safe_psql('bytes', <<'END'), '4 delivered, 5 delivered', 'those that can be sent are');
	SELECT string_agg(r.key || ' ' || d.state, ', ' ORDER BY r.key) FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id
	WHERE d.rule = 'write' AND r.key IN ('4', '5')
END
is($server->safe_psql('bytes', q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM automation.deliveries WHERE run_id IS NULL}), 'email dead, sms dead', 'the others say so');
is($server->safe_psql('bytes', q{SELECT count(*) FROM automation.consents('email', E'somebody@x.example')}), '1', 'an address is known by its hash');
$server->safe_psql('bytes', q{SELECT automation.set_consent('email', 'Lena@x.example', 'all', 'denied', 'form')});
is($server->safe_psql('bytes', q{SELECT count(*) FROM automation.consents('email', 'lena@x.example')}), '1', 'however it is written');

$server->stop;
done_testing();
