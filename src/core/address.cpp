#include "core/address.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace automation::core {
namespace {

// Everything that is not somebody else's public host: IANA's special-purpose registries, and the
// ways to write an IPv4 address inside an IPv6 one (NAT64, Teredo, 6to4).
constexpr std::string_view blocked_ranges[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
	"127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
	"2001::/32", "2001:db8::/32", "2002::/16", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10",
	"ff00::/8"};

constexpr unsigned char mapped_prefix[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Every spelling of IPv4: one to four numbers, decimal, octal or hexadecimal.
std::optional<Address> parse_v4_host(std::string_view host)
{
	// inet_aton() ignores what follows white space.
	const bool is_numeric =
		std::ranges::all_of(host, [](char c) { return is_alphanumeric(c) || c == '.'; });
	in_addr parsed;
	if (!is_numeric || !inet_aton(std::string(host).c_str(), &parsed))
		return std::nullopt;
	const auto *bytes = reinterpret_cast<const unsigned char *>(&parsed.s_addr);
	return Address::from_bytes({bytes, sizeof parsed.s_addr});
}

// A zone ("%eth0", in a URL "%25eth0") names an interface and no other address.
std::optional<Address> parse_v6_host(std::string_view host)
{
	const std::size_t percent = std::min(host.find('%'), host.size());
	const std::string_view zone = host.substr(std::min(percent + 1, host.size()));
	const auto names_interface = [](char c) {
		return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
	};
	if (!std::ranges::all_of(zone, names_interface))
		return std::nullopt;
	return Address::parse(host.substr(0, percent));
}

bool is_localhost(std::string_view host)
{
	const std::string name = lower(host);
	return name == "localhost" || name.ends_with(".localhost");
}

[[noreturn]] void fail_network(std::string_view cidr)
{
	throw Failure("22023", fmt::format("invalid network \"{}\"", cidr),
		{.hint = "Use CIDR notation, for example \"10.0.0.0/8\"."});
}

// Too large for any address when it is not a number.
std::size_t parse_prefix(std::string_view text)
{
	constexpr std::size_t invalid = 1000;
	std::size_t prefix = invalid;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
	return error == std::errc() && end == text.data() + text.size() ? prefix : invalid;
}

bool has_bits_after(const Address &address, std::size_t prefix)
{
	const auto bytes = address.bytes();
	for (std::size_t bit = prefix; bit < bytes.size() * 8; ++bit) {
		if (bytes[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	}
	return false;
}

} // namespace

std::optional<Address> Address::from_bytes(std::span<const unsigned char> bytes)
{
	if (bytes.size() == 16 && std::ranges::equal(bytes.first(12), mapped_prefix))
		bytes = bytes.last(4);
	if (bytes.size() != 4 && bytes.size() != 16)
		return std::nullopt;
	Address address;
	std::ranges::copy(bytes, address.bytes_.begin());
	address.size_ = bytes.size();
	return address;
}

std::optional<Address> Address::parse(std::string_view text)
{
	const std::string copy(text);
	unsigned char bytes[16];
	if (text.find('\0') != text.npos)
		return std::nullopt;
	if (inet_pton(AF_INET, copy.c_str(), bytes) == 1)
		return from_bytes({bytes, 4});
	if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1)
		return from_bytes(bytes);
	return std::nullopt;
}

std::optional<Address> Address::from_host(std::string_view host)
{
	if (host.starts_with('[') && host.ends_with(']'))
		return parse_v6_host(host.substr(1, host.size() - 2));
	if (host.find(':') != host.npos)
		return parse_v6_host(host);
	if (host.ends_with('.'))
		host.remove_suffix(1);
	return parse_v4_host(is_localhost(host) ? "127.0.0.1" : host);
}

std::string Address::to_string() const
{
	char text[INET6_ADDRSTRLEN];
	inet_ntop(size_ == 4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
	return text;
}

bool Network::contains(const Address &address) const
{
	const auto ours = address_.bytes();
	const auto theirs = address.bytes();
	const std::size_t whole = prefix_ / 8;
	if (ours.size() != theirs.size() || !std::ranges::equal(ours.first(whole), theirs.first(whole)))
		return false;
	const std::size_t rest = prefix_ % 8;
	return rest == 0 || (ours[whole] ^ theirs[whole]) >> (8 - rest) == 0;
}

Network Network::parse(std::string_view cidr)
{
	const std::size_t slash = std::min(cidr.find('/'), cidr.size());
	const std::optional<Address> address = Address::parse(cidr.substr(0, slash));
	if (!address)
		fail_network(cidr);
	const std::size_t bits = address->bytes().size() * 8;
	const std::size_t prefix = slash == cidr.size() ? bits : parse_prefix(cidr.substr(slash + 1));
	if (prefix > bits || has_bits_after(*address, prefix))
		fail_network(cidr);
	return {*address, prefix};
}

std::vector<Network> parse_networks(std::string_view list)
{
	const auto separates = [](char c) { return c == ',' || is_space(c); };
	std::vector<Network> networks;
	for (auto rest = list.begin(); rest != list.end();) {
		const auto begin = std::find_if_not(rest, list.end(), separates);
		rest = std::find_if(begin, list.end(), separates);
		if (begin != rest)
			networks.push_back(Network::parse({begin, rest}));
	}
	return networks;
}

std::optional<std::string_view> blocked_range(const Address &address)
{
	for (const std::string_view range : blocked_ranges) {
		if (Network::parse(range).contains(address))
			return range;
	}
	return std::nullopt;
}

std::optional<std::string_view> refusal(
	const Address &address, std::span<const Network> allowed_networks)
{
	const auto holds = [&](const Network &network) { return network.contains(address); };
	return std::ranges::any_of(allowed_networks, holds) ? std::nullopt : blocked_range(address);
}

void check_address(
	const Address &address, std::span<const Network> allowed_networks, std::string_view purpose)
{
	const std::optional<std::string_view> range = refusal(address, allowed_networks);
	if (range)
		throw Failure("42501",
			fmt::format("address {} is not allowed for {}", address.to_string(), purpose),
			{.detail = fmt::format("The address is in the blocked range {}.", *range),
				.hint = "A superuser can add it to allowed_networks."});
}

} // namespace automation::core
