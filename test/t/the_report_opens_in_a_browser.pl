# What report_html() writes, opened in a browser: it shows rules, runs and what happened to rows, fits the
# window, runs nothing and asks nobody for anything. Chromium looks at it alone, without a server.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Server;
use Test::More;

my $server = Server->begin('main', 'pg_automation.delivery' => 'simulate');
$server->ask(<<'END');
	CREATE EXTENSION pg_automation;
	CREATE SCHEMA crm;
	CREATE TABLE crm.job (id text PRIMARY KEY, status text, amount integer, phone text);
	CREATE TABLE crm.task (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text CHECK (title <> 'Call nobody'));
	SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.task', 'task', '{"title": "title"}');
	SELECT automation.create_channel('texts', 'sms', '{"sender": "+15005550006"}');
	SELECT automation.create_rule('On the way', 'crm.job', 'status_entered', '{"to": "Dispatched"}', condition => 'new.amount > 10', activate => true, steps => ARRAY[
		automation.send_sms('texts', '{{ phone | default: "+12025550199" }}', 'We are on the way, with everything that is needed for job {{ id }}.'),
		automation.after('2 hours', automation.send_sms('texts', '{{ phone | default: "+12025550199" }}', 'Did all go well?'), cancel_if_changed => '{status}'),
		automation.after('1 day', automation.create_task('Call {{ id }}')), automation.after('2 days', automation.update_field('status', 'Old'))]);
	SELECT automation.create_rule('<script>document.title = "ran"</script>', 'crm.job', 'created', activate => true, steps => ARRAY[automation.create_task('Call {{ id }}')]);
	SELECT automation.create_rule('Offer', 'crm.job', 'manual', steps => automation.wait_until($$new.status = 'Accepted by everybody whom it concerns'$$, '5 days', met => ARRAY[automation.create_task('Thank')],
		timed_out => automation.branch('new.amount > 1000', ARRAY[automation.create_task('Call'), automation.create_task('Write'), automation.create_task('Visit')])));
	INSERT INTO crm.job VALUES ('nobody', 'New', 50), ('<img src="http://page.example/x.png">', 'New', 50), (repeat('long', 60), 'New', 5);
	UPDATE crm.job SET status = 'Dispatched';
END
$server->poll_query_until('postgres', q{SELECT count(*) = 2 FROM automation.deliveries WHERE state = 'simulated'}) or die 'no worker';
my $report = $server->ask('SELECT automation.report_html()');

# What it looks like is measured by a script in a copy of the page, as nothing in the page runs.
my $measure = <<'END';
<script>
const seen = all => [...document.querySelectorAll(all)].filter(e => e.getBoundingClientRect().height > 0);
const lines = e => { const range = document.createRange(); range.selectNodeContents(e); return new Set([...range.getClientRects()].map(r => r.top)).size };
const color = all => getComputedStyle(document.querySelector(all)).color;
const measured = { title: document.title, scripts: document.scripts.length - 1,
  parts: seen('h2').map(e => e.textContent).join(), rules: seen('.flow').length, boxes: seen('.box').length, ways: seen('.way > b').map(e => e.textContent).join(), bars: seen('rect').length,
  runs: seen('tbody tr').length, items: seen('ol.line').length, steps: seen('ol.line li').length,
  wide: document.documentElement.scrollWidth - innerWidth,
  broken: seen('th, td.short, .status, .time').filter(e => lines(e) > 1).length,
  colors: new Set([color('.status.good'), color('.status.bad'), color('.status.wait')]).size };
document.body.append(Object.assign(document.createElement('pre'), { id: 'measured', textContent: JSON.stringify(measured) }));
</script>
END

my $pages = 0;

# The page as the browser has it, what its console says, and what it asks the network for.
sub look
{
	my ($html, $width) = @_;
	my $folder = "$ENV{TESTDIR}/browser" . ++$pages;
	mkdir $folder or die "$folder: $!";
	append_to_file("$folder/report.html", $html);
	local $ENV{HOME} = $folder;
	system "exec timeout --kill-after=5 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
	  . " --disable-background-networking --disable-component-update --disable-sync --no-proxy-server"
	  . " --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir=$folder/profile --window-size=$width,2000"
	  . " --enable-logging=stderr --log-net-log=$folder/net.json --dump-dom file://$folder/report.html"
	  . " >$folder/dom 2>$folder/log </dev/null";
	my $log     = slurp_file("$folder/log");
	my $net     = JSON::PP->new->decode(slurp_file("$folder/net.json"));
	my $request = $net->{constants}{logEventTypes}{URL_REQUEST_START_JOB};

	# The browser asks on its own account, too, whatever one tells it: that has no origin.
	my @asked = map { $_->{params}{url} }
	  grep { $_->{type} == $request && $_->{params}{url} && $_->{params}{initiator} ne 'not an origin' } @{ $net->{events} };
	return (slurp_file("$folder/dom"), join(' ', $log =~ /CONSOLE.*?"(.*?)"/g), "@asked");
}

# With something wrong in it, so that we know that we would see it.
my ($dom, $console, $asked) = look(qq{$report<img src="http://page.example/x.png"/><script>console.error("wrong")</script>}, 1200);
is($console, 'wrong', 'what the console says would be seen');
like($asked, qr{^http://page\.example/x\.png}, 'and what is asked for');

($dom, $console, $asked) = look($report, 1200);
is($console, '', 'the page itself leaves the console empty');
is($asked, '', 'and asks for nothing');
like($dom, qr{<title>Automation in postgres</title>}, 'it is there');

for my $width (1200, 600)
{
	($dom) = look($report . $measure, $width);
	my ($json) = $dom =~ m{<pre id="measured">(.*?)</pre>}s or die "nothing was measured: $dom";
	my $seen = JSON::PP->new->decode($json);
	is($seen->{title}, 'Automation in postgres', "$width pixels: no text has become a script");
	is($seen->{scripts}, 0, 'there is none');
	is($seen->{parts}, 'Runs per day,Rules,Last runs,Rows', 'all parts are seen');
	is("$seen->{rules} $seen->{boxes}", '3 15', 'rules as flows, a box for each trigger, condition and step');
	is($seen->{ways}, 'met,timed out,yes,no', 'and a line for each way of a decision');
	cmp_ok($seen->{bars}, '>', 0, 'a bar for a day with runs');
	is($seen->{runs}, 5, 'a line for each run');
	is("$seen->{items} $seen->{steps}", '3 11', 'a timeline for each row, and its steps');
	is($seen->{colors}, 3, 'good, bad and waiting differ');
	cmp_ok($seen->{wide}, '<=', 0, 'nothing is wider than the window');
	is($seen->{broken}, 0, 'no short word is broken');
}

done_testing();
