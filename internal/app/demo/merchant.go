package demo

// merchant is a shop with one store or, with more towns, a small chain.
type merchant struct {
	name, trade string
	stores      int
}

var merchants = []merchant{
	{"The Rye Room", "bakery", 1},
	{"Second Rise", "bakery", 2},
	{"Poppy & Crumb", "bakery", 1},
	{"Lantern Books", "books", 1},
	{"The Dog-Eared Page", "books", 2},
	{"Foxglove Books", "books", 1},
	{"Northlight Cycles", "bicycles", 2},
	{"Spoke & Chain", "bicycles", 1},
	{"Tailwind Bicycle Works", "bicycles", 1},
	{"Kettle Hill Coffee", "coffee", 3},
	{"Slow Drip", "coffee", 1},
	{"Harbor Roasters", "coffee", 2},
	{"Thimble & Thread", "fabrics", 1},
	{"Wool Gathering", "fabrics", 1},
	{"Bolt House", "fabrics", 1},
	{"Green Thumb Nursery", "garden", 2},
	{"Fern & Furrow", "garden", 1},
	{"Heirloom Seed Co.", "garden", 1},
	{"The B Side", "records", 1},
	{"Needle Drop Records", "records", 2},
	{"Spindle & Groove", "records", 1},
	{"Cedar Canoe Outfitters", "outdoor", 2},
	{"Timberline Supply", "outdoor", 3},
	{"Switchback Gear", "outdoor", 1},
	{"The Brass Compass", "antiques", 1},
	{"Attic & Eave", "antiques", 1},
	{"Old Mill Salvage", "antiques", 1},
	{"Marigold Florist", "flowers", 1},
	{"Stem & Petal", "flowers", 2},
	{"Café Löwenzahn", "restaurant", 1},
	{"La Mère Brasserie", "restaurant", 1},
	{"El Rincón", "restaurant", 2},
	{"Blue Plate Diner", "restaurant", 2},
	{"Pickle & Rye", "restaurant", 1},
	{"Copper Pot Kitchen Supply", "kitchen", 1},
	{"Whisk & Ladle", "kitchen", 2},
}

// trade is what coupons of a category are for: goods by the piece, and what one
// gives with them.
type trade struct {
	goods, gifts []string
}

var trades = map[string]trade{
	"bakery":     {[]string{"sourdough loaves", "rye bread", "cinnamon rolls", "morning buns", "fruit tarts", "bagels"}, []string{"a coffee", "a jar of jam", "a roll for the way home"}},
	"books":      {[]string{"paperbacks", "field guides", "used hardcovers", "cookbooks", "picture books", "maps"}, []string{"a tote bag", "a bookmark", "a reading lamp clip"}},
	"bicycles":   {[]string{"tune-ups", "inner tubes", "helmets", "panniers", "brake pads", "wheel truings"}, []string{"a bell", "a tire lever", "a chain cleaning"}},
	"coffee":     {[]string{"single-origin beans", "espresso drinks", "cold brew", "filter papers", "pour-overs"}, []string{"a biscotti", "a refill", "a sample bag"}},
	"fabrics":    {[]string{"cotton prints", "linen", "wool yarn", "sewing patterns", "quilting kits"}, []string{"a spool of thread", "a set of needles", "an hour at the cutting table"}},
	"garden":     {[]string{"perennials", "seed packets", "clay pots", "fruit trees", "potting soil", "bulbs"}, []string{"a bag of compost", "a packet of seeds", "a planting guide"}},
	"records":    {[]string{"used records", "new pressings", "45s", "turntable belts", "record sleeves", "box sets"}, []string{"a slipmat", "a record cleaning", "a poster"}},
	"outdoor":    {[]string{"canoe rentals", "hiking boots", "rain jackets", "camp stoves", "dry bags", "trail maps"}, []string{"a water bottle", "a pair of socks", "a carabiner"}},
	"antiques":   {[]string{"picture frames", "brass lamps", "door knobs", "glassware", "side tables", "clock repairs"}, []string{"an appraisal", "a tin of wax", "delivery in town"}},
	"flowers":    {[]string{"bouquets", "potted orchids", "dried wreaths", "tulips", "table arrangements"}, []string{"a vase", "a card", "delivery in town"}},
	"restaurant": {[]string{"lunch plates", "desserts", "Sunday brunches", "soups of the day", "tasting menus"}, []string{"a dessert", "a glass of lemonade", "a side salad"}},
	"kitchen":    {[]string{"cast iron pans", "chef's knives", "mixing bowls", "baking tins", "knife sharpenings"}, []string{"a wooden spoon", "a tea towel", "a recipe card"}},
}
