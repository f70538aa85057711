// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title An example of a contract that acts on a feed: a cover that pays when a value leaves its band
/// @notice An insurer puts ITC (18 decimals) down for somebody's cargo and names a premium. Once that is paid, the cover is in force. If the
///         answer of any one round of the feed, measured in the period, lies outside the band, anyone can have the sum paid to the insured,
///         once. If none comes forward in time, it goes back. Times are Unix seconds; the band has the feed's decimals. Any number of
///         covers, each by its id.
/// @dev A round counts if all of its values are of the period: not older than the start by `updatedAt`, and in the chain by the end by
///      `startedAt`. With `updatedAt` alone, a value of after the end could pay beside an older one of before it.
///      Left out on purpose: administration, early end, dispute: the feed decides. No step waits for anybody's consent, so no money is stuck.
interface IBandCover {
    /// @notice What a cover says.
    /// @param insured Who is paid.
    /// @param feed An `IAggregatorV3`.
    /// @param low The least answer within the band.
    /// @param high The greatest.
    /// @param start The first second of the period, and the last at which the premium can be paid. Not in the past, so that nobody buys
    ///        cover for damage that he has seen.
    /// @param end The last second of the period.
    /// @param grace Seconds after the end that settling has, at least.
    /// @param amount ITC that the insured gets.
    /// @param premium ITC that the insurer gets; may be 0.
    struct Terms {
        address insured;
        address feed;
        int256 low;
        int256 high;
        uint64 start;
        uint64 end;
        uint64 grace;
        uint256 amount;
        uint256 premium;
    }

    /// @notice An insurer has put `amount` down.
    event CoverOpened(
        uint256 indexed id,
        address indexed insurer,
        address indexed insured,
        address feed,
        uint256 amount,
        uint256 premium
    );
    /// @notice The premium was paid by `payer`; the cover is in force.
    event CoverAccepted(uint256 indexed id, address indexed payer, uint256 premium);
    /// @notice The insured was paid, for this round.
    event CoverPaid(uint256 indexed id, uint80 roundId, int256 answer, uint256 updatedAt);
    /// @notice The insurer has the amount again.
    event CoverReturned(uint256 indexed id);

    error BandCoverInvalidInsured(address insured);
    error BandCoverInvalidFeed(address feed);
    error BandCoverInvalidBand(int256 low, int256 high);
    error BandCoverInvalidPeriod(uint64 start, uint64 end);
    error BandCoverInvalidAmount(uint256 amount);
    error BandCoverNotOpen(uint256 id);
    error BandCoverAccepted(uint256 id);
    error BandCoverNotAccepted(uint256 id);
    error BandCoverTooLate(uint256 id, uint64 start);
    error BandCoverOutsidePeriod(uint256 updatedAt, uint256 startedAt, uint64 start, uint64 end);
    error BandCoverWithinBand(int256 answer, int256 low, int256 high);
    error BandCoverNotOver(uint256 id, uint256 until);

    /// @notice Offers a cover with the sender as its insurer, who must have approved the amount.
    /// @dev Hazard: the amount is bound until the period and the grace are over, however long the insurer has made them.
    /// @param terms See `Terms`.
    /// @return id From 1.
    /// Errors: BandCoverInvalidInsured, BandCoverInvalidFeed, BandCoverInvalidBand, BandCoverInvalidPeriod, BandCoverInvalidAmount, and
    /// those of ITC. Event: CoverOpened.
    function open(Terms calldata terms) external returns (uint256 id);

    /// @notice Pays the premium to the insurer, by which the cover is in force. Anyone may, for the insured; the sender must have approved
    ///         the premium.
    /// @dev Hazard: the insurer names the feed. Look at its sources, rules, gateway and ring before you pay.
    /// @param id The cover.
    /// Errors: BandCoverNotOpen, BandCoverAccepted, BandCoverTooLate, and those of ITC. Event: CoverAccepted.
    function accept(uint256 id) external;

    /// @notice Pays a cover to its insured, by a round that shows the damage. Anyone may.
    /// @dev Hazard: feeds keep so many rounds and no more; settle while the round is there.
    /// @param id The cover.
    /// @param roundId A round of its feed, whose answer lies outside the band and whose values are all of the period.
    /// Errors: BandCoverNotOpen, BandCoverNotAccepted, BandCoverOutsidePeriod, BandCoverWithinBand, and the feed's. Event: CoverPaid.
    function settle(uint256 id, uint80 roundId) external;

    /// @notice Returns a cover to its insurer, once the period and the grace are over, or once it starts without a premium. Anyone may. As
    ///         long as nobody has done so, a cover in force can still be settled.
    /// @param id The cover.
    /// Errors: BandCoverNotOpen, BandCoverNotOver. Event: CoverReturned.
    function giveBack(uint256 id) external;

    /// @notice A cover's insurer, whether its premium was paid, and its terms; all 0 if there is none, or if it is over.
    function coverOf(uint256 id) external view returns (address insurer, bool inForce, Terms memory terms);
}
