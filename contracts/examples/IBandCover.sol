// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title An example of a contract that acts on a feed: a cover that pays when a value leaves its band
/// @notice An insurer puts ITC (18 decimals) down for somebody's cargo. If the feed's answer of any one round in the period lies outside the
///         band, anyone can have the sum paid to the insured, once. If none comes forward in time, it goes back. Times are Unix seconds;
///         the band has the feed's decimals. Any number of covers, each by its id.
/// @dev The premium is settled elsewhere. Left out on purpose: administration, early end, dispute: the feed decides.
interface IBandCover {
    /// @notice What a cover says.
    /// @param insured Who is paid.
    /// @param feed An `IAggregatorV3`.
    /// @param low The least answer within the band.
    /// @param high The greatest.
    /// @param start The first second of the period.
    /// @param end The last.
    /// @param grace Seconds after the end that settling has, at least.
    /// @param amount ITC.
    struct Terms {
        address insured;
        address feed;
        int256 low;
        int256 high;
        uint64 start;
        uint64 end;
        uint64 grace;
        uint256 amount;
    }

    event CoverOpened(
        uint256 indexed id,
        address indexed insurer,
        address indexed insured,
        address feed,
        uint256 amount
    );
    event CoverPaid(uint256 indexed id, uint80 roundId, int256 answer, uint256 updatedAt);
    event CoverReturned(uint256 indexed id);

    error BandCoverInvalidInsured(address insured);
    error BandCoverInvalidFeed(address feed);
    error BandCoverInvalidBand(int256 low, int256 high);
    error BandCoverInvalidPeriod(uint64 start, uint64 end);
    error BandCoverInvalidAmount(uint256 amount);
    error BandCoverNotOpen(uint256 id);
    error BandCoverOutsidePeriod(uint256 updatedAt, uint64 start, uint64 end);
    error BandCoverWithinBand(int256 answer, int256 low, int256 high);
    error BandCoverNotOver(uint256 id, uint256 until);

    /// @notice Opens a cover with the sender as its insurer, who must have approved the amount.
    /// @dev Hazard: the insurer names the feed. The insured looks at its sources, rules and gateway before relying on the cover.
    /// @param terms See `Terms`.
    /// @return id From 1.
    /// Errors: BandCoverInvalidInsured, BandCoverInvalidFeed, BandCoverInvalidBand, BandCoverInvalidPeriod, BandCoverInvalidAmount, and
    /// those of ITC. Event: CoverOpened.
    function open(Terms calldata terms) external returns (uint256 id);

    /// @notice Pays a cover to its insured, by a round that shows the damage. Anyone may.
    /// @dev Hazard: feeds keep so many rounds and no more; settle while the round is there. What counts is `updatedAt`, the time of the oldest
    ///      value in the answer.
    /// @param id The cover.
    /// @param roundId A round of its feed, whose answer lies outside the band and whose `updatedAt` lies inside the period.
    /// Errors: BandCoverNotOpen, BandCoverOutsidePeriod, BandCoverWithinBand, and the feed's. Event: CoverPaid.
    function settle(uint256 id, uint80 roundId) external;

    /// @notice Returns a cover to its insurer once the period and the grace are over. Anyone may. Until then and as long as nobody has done so, it
    ///         can still be settled.
    /// @param id The cover.
    /// Errors: BandCoverNotOpen, BandCoverNotOver. Event: CoverReturned.
    function giveBack(uint256 id) external;

    /// @notice A cover's insurer and terms; all 0 if there is none, or if it is over.
    function coverOf(uint256 id) external view returns (address insurer, Terms memory terms);
}
