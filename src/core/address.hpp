// Which network addresses we may call.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

// An IPv4 or IPv6 address.  An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is the IPv4 address.
class Address {
public:
	// From a sockaddr: 4 or 16 bytes in network order, nothing else.
	static std::optional<Address> from_bytes(std::span<const unsigned char> bytes);

	// From the usual notation: four decimal numbers, or IPv6.
	static std::optional<Address> parse(std::string_view text);

	// From the host of a URL, when a resolver would not have to ask: every spelling that
	// inet_aton() takes ("127.1", "0x7f.1", "2130706433"), IPv6 with or without brackets and zone,
	// "localhost".
	static std::optional<Address> from_host(std::string_view host);

	std::span<const unsigned char> bytes() const { return {bytes_.data(), size_}; }
	std::string to_string() const;
	bool operator==(const Address &) const = default;

private:
	Address() = default;

	std::array<unsigned char, 16> bytes_ = {};
	std::size_t size_ = 0; // 4 or 16
};

// The addresses that share the first bits of one.
class Network {
public:
	// "10.0.0.0/8", "fd00::/8"; an address alone is a network of one.  As for type cidr no bit may
	// be set outside of the prefix.  Throws Failure 22023.
	static Network parse(std::string_view cidr);

	bool contains(const Address &address) const;

private:
	Network(const Address &address, std::size_t prefix) : address_(address), prefix_(prefix) {}

	Address address_;
	std::size_t prefix_; // bits
};

// "10.0.0.0/8, 127.0.0.0/8": separated by commas, white space or both.  Throws Failure 22023.
std::vector<Network> parse_networks(std::string_view list);

// The range of private, local or special addresses it lies in ("169.254.0.0/16").
std::optional<std::string_view> blocked_range(const Address &address);

// blocked_range(), unless a network that somebody has allowed contains the address.
std::optional<std::string_view> refusal(
	const Address &address, std::span<const Network> allowed_networks);

// Throws Failure 42501 when refused; `purpose` is what the address is for, "webhooks".
void check_address(
	const Address &address, std::span<const Network> allowed_networks, std::string_view purpose);

} // namespace automation::core
