# A mail or web server of test/servers for the length of a TAP script.
#
#   my $web = Sink->start('http');                       # or ('smtp', '--tls', 'required', ...)
#   $web->port; $web->certificate;                       # where it listens; a CA file that trusts it
#   my @messages = $web->wait_for(2);                    # all that it has received, once they are so many
package Sink;

use strict;
use warnings;
use JSON::PP     ();
use Time::HiRes  ();

my $started = 0;

sub start
{
	my ($class, $kind, @options) = @_;
	my $base = "$ENV{TESTDIR}/sink" . ++$started;
	my $self = bless { base => $base, kind => $kind, owner => $$, read => 0, received => [] }, $class;
	$self->{pid} = fork() // die "fork: $!";
	if ($self->{pid} == 0)
	{
		open STDOUT, '>', "$base.log" and open STDERR, '>&', \*STDOUT or die "$base.log: $!";
		exec "test/servers/${kind}_sink.py", '--port-file', "$base.port", '--out', "$base.out",
		  '--certificate', "$base.certificate", @options
		  or die "test/servers/${kind}_sink.py: $!";
	}
	_until(sub { -s "$base.port" }, "$kind sink listens, see $base.log");
	chomp($self->{port} = _contents("$base.port"));
	return $self;
}

sub port { return $_[0]{port} }

sub certificate { return "$_[0]{base}.certificate/cert.pem" }

# Everything received so far, oldest first. Whole lines are read once.
sub received
{
	my ($self) = @_;
	my $decoder = JSON::PP->new->utf8;
	for my $line (grep { /\n\z/ } split /(?<=\n)/, _contents("$self->{base}.out", $self->{read}))
	{
		$self->{read} += length $line;
		push @{ $self->{received} }, $decoder->decode($line);
	}
	return @{ $self->{received} };
}

# The same, once it is at least $count; dies when that takes more than $seconds (30).
sub wait_for
{
	my ($self, $count, $seconds) = @_;
	_until(sub { $self->received >= $count }, "$self->{kind} sink received $count messages", $seconds);
	return $self->received;
}

sub stop
{
	my ($self) = @_;
	return unless my $pid = delete $self->{pid};
	kill 'TERM', $pid;
	waitpid $pid, 0;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->stop if $self->{owner} == $$;
	return;
}

sub _contents
{
	my ($file, $from) = @_;
	open my $handle, '<:raw', $file or return '';
	seek $handle, $from // 0, 0;
	local $/;
	return <$handle> // '';
}

sub _until
{
	my ($holds, $what, $seconds) = @_;
	my $deadline = Time::HiRes::time() + ($seconds // 30);
	until ($holds->())
	{
		die "waited in vain: $what\n" if Time::HiRes::time() > $deadline;
		Time::HiRes::sleep(0.05);
	}
	return;
}

1;
