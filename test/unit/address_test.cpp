#include "core/address.hpp"

#include "failure_of.hpp"

#include <array>

using namespace automation::core;

namespace {

std::string range_of(std::string_view host)
{
	const std::optional<Address> address = Address::from_host(host);
	return address ? std::string(blocked_range(*address).value_or("public")) : "name";
}

std::string invalid_network(std::string_view text)
{
	return report(failure_of([&] { Network::parse(text); }));
}

} // namespace

TEST(Address, SeesThroughEverySpelling)
{
	const std::pair<const char *, const char *> spellings[] = {{"127.0.0.1", "127.0.0.0/8"},
		{"2130706433", "127.0.0.0/8"}, {"0x7f.1", "127.0.0.0/8"}, {"0177.0.0.1", "127.0.0.0/8"},
		{"127.1", "127.0.0.0/8"}, {"0", "0.0.0.0/8"}, {"localhost", "127.0.0.0/8"},
		{"a.LocalHost.", "127.0.0.0/8"}, {"127.0.0.1.", "127.0.0.0/8"},
		{"0x7F000001", "127.0.0.0/8"}, {"[::1]", "::/96"}, {"::1", "::/96"}, {"[::]", "::/96"},
		{"[::ffff:127.0.0.1]", "127.0.0.0/8"}, {"[::ffff:a9fe:a9fe]", "169.254.0.0/16"},
		{"[64:ff9b::7f00:1]", "64:ff9b::/96"}, {"[fe80::1%lo]", "fe80::/10"},
		{"[fe80::1%25lo]", "fe80::/10"}, {"169.254.169.254", "169.254.0.0/16"},
		{"10.0.0.1", "10.0.0.0/8"}, {"100.100.100.200", "100.64.0.0/10"}};
	for (const auto &[host, range] : spellings)
		EXPECT_EQ(range_of(host), range) << host;
}

TEST(Address, TellsNamesFromAddresses)
{
	for (const char *host :
		{"example.com", "127.0.0.1.example.com", "1.2.3.4.5", "256.1.1.1", "0x", "127.0.0.1 x", "",
			".", "[", "[]", "[::1", "[example.com]", "[2606::1%a]b]", "localhost.example", "08.1"})
		EXPECT_EQ(range_of(host), "name") << host;
}

TEST(Address, HoldsTheBordersOfEachRange)
{
	const std::tuple<const char *, const char *, const char *, const char *, const char *>
		ranges[] = {// below, first, last, above
			{"0.0.0.0/8", "", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
			{"10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
			{"100.64.0.0/10", "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
			{"127.0.0.0/8", "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
			{"169.254.0.0/16", "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
			{"172.16.0.0/12", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
			{"192.0.0.0/24", "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
			{"192.0.2.0/24", "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
			{"192.88.99.0/24", "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
			{"192.168.0.0/16", "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
			{"198.18.0.0/15", "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
			{"198.51.100.0/24", "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
			{"203.0.113.0/24", "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
			{"224.0.0.0/4", "223.255.255.255", "224.0.0.0", "239.255.255.255", ""},
			{"240.0.0.0/4", "", "240.0.0.0", "255.255.255.255", ""},
			{"::/96", "", "::", "::ffff:ffff", "::1:0:0"},
			{"64:ff9b::/96", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff",
				"64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0"},
			{"64:ff9b:1::/48", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
				"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
			{"100::/64", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::"},
			{"2001::/32", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::"},
			{"2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
				"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
			{"2002::/16", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
			{"5f00::/16", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
			{"fc00::/7", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
			{"fe80::/10", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
				"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
			{"fec0::/10", "", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
			{"ff00::/8", "", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""}};
	for (const auto &[range, below, first, last, above] : ranges) {
		EXPECT_EQ(range_of(first), range);
		EXPECT_EQ(range_of(last), range);
		for (const std::string_view outside : {below, above})
			EXPECT_EQ(outside.empty() ? "public" : range_of(outside), "public") << outside;
	}
}

TEST(Address, IsMadeOfFourOrSixteenBytes)
{
	const std::array<unsigned char, 16> mapped = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
	EXPECT_EQ(Address::from_bytes(mapped)->to_string(), "10.1.2.3");
	EXPECT_EQ(Address::from_bytes(mapped), Address::parse("10.1.2.3"));
	EXPECT_EQ(Address::parse("2606:4700:0::0:1111")->to_string(), "2606:4700::1111");
	const std::array<unsigned char, 5> odd = {};
	EXPECT_FALSE(Address::from_bytes(odd));
	EXPECT_FALSE(Address::from_bytes({}));
	EXPECT_FALSE(Address::parse("127.1"));
	EXPECT_FALSE(Address::parse("127.0.0.1\n"));
}

TEST(Network, ContainsByItsFirstBits)
{
	const Network network = Network::parse("10.32.0.0/11");
	EXPECT_TRUE(network.contains(*Address::parse("10.32.0.0")));
	EXPECT_TRUE(network.contains(*Address::parse("10.63.255.255")));
	EXPECT_FALSE(network.contains(*Address::parse("10.64.0.0")));
	EXPECT_FALSE(network.contains(*Address::parse("10.31.255.255")));
	EXPECT_FALSE(network.contains(*Address::parse("a20::")));
	EXPECT_TRUE(Network::parse("0.0.0.0/0").contains(*Address::parse("255.1.2.3")));
	EXPECT_FALSE(Network::parse("::/0").contains(*Address::parse("255.1.2.3")));
	EXPECT_TRUE(Network::parse("127.0.0.1").contains(*Address::parse("127.0.0.1")));
	EXPECT_FALSE(Network::parse("127.0.0.1").contains(*Address::parse("127.0.0.2")));
}

TEST(Network, RefusesWhatIsNoNetwork)
{
	for (const std::string text : {"", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
			 "10.0.0.0/8 ", "10.0.0.0/8/8", "::/129", "localhost", "10.0.0.1/8", "127.1/32",
			 "::1/64", "fe80::1%lo", "::ffff:10.0.0.0/104", "10.0.0.0/99999999999999999999"})
		EXPECT_EQ(invalid_network(text),
			"22023 invalid network \"" + text +
				"\" | Use CIDR notation, for example \"10.0.0.0/8\".");
}

TEST(Network, ReadsLists)
{
	EXPECT_EQ(parse_networks(" 10.0.0.0/8, 127.0.0.0/8\n::1 ").size(), 3u);
	EXPECT_TRUE(parse_networks("").empty());
	EXPECT_TRUE(parse_networks(" , ").empty());
	EXPECT_THROW(parse_networks("10.0.0.0/8;127.0.0.0/8"), Failure);
}

TEST(Address, IsRefusedUntilItsNetworkIsAllowed)
{
	const Address metadata = *Address::from_host("169.254.169.254");
	EXPECT_EQ(report(failure_of([&] { check_address(metadata, {}, "webhooks"); })),
		"42501 address 169.254.169.254 is not allowed for webhooks"
		" | The address is in the blocked range 169.254.0.0/16."
		" | A superuser can add it to allowed_networks.");
	const std::vector<Network> loopback = parse_networks("127.0.0.0/8");
	EXPECT_NO_THROW(check_address(*Address::from_host("[::ffff:127.0.0.1]"), loopback, "webhooks"));
	EXPECT_THROW(check_address(metadata, loopback, "webhooks"), Failure);
	EXPECT_THROW(check_address(*Address::from_host("[::1]"), loopback, "webhooks"), Failure);
	EXPECT_NO_THROW(check_address(*Address::from_host("8.8.8.8"), loopback, "webhooks"));
}
