package auctions

// BidsShown is the reader of the bids in the body of an item.
var BidsShown = bidsShown
