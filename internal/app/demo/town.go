package demo

// town is a place where merchants have stores: the zip code and where it lies
// as GeoNames has it (NOTICE.md), and the area code of its telephones.
type town struct {
	city, state, zip string
	lat, long        float64
	area             string
}

var towns = []town{
	{"Portland", "ME", "04101", 43.658784, -70.262393, "207"},
	{"Burlington", "VT", "05401", 44.507404, -73.151384, "802"},
	{"Northampton", "MA", "01063", 42.317939, -72.640234, "413"},
	{"Newport", "RI", "02840", 41.487552, -71.327084, "401"},
	{"Ithaca", "NY", "14850", 42.402794, -76.483999, "607"},
	{"Annapolis", "MD", "21401", 38.967311, -76.610143, "410"},
	{"Charlottesville", "VA", "22902", 38.026588, -78.48045, "434"},
	{"Asheville", "NC", "28801", 35.602711, -82.567281, "828"},
	{"Beaufort", "SC", "29902", 32.404673, -80.653104, "843"},
	{"Savannah", "GA", "31401", 32.072257, -81.135618, "912"},
	{"Fairhope", "AL", "36532", 30.562883, -87.810464, "251"},
	{"Natchez", "MS", "39120", 31.527752, -91.307025, "601"},
	{"Lafayette", "LA", "70501", 30.232955, -92.066574, "337"},
	{"Chattanooga", "TN", "37401", 35.017818, -85.206426, "423"},
	{"Berea", "KY", "40403", 37.592589, -84.235247, "859"},
	{"Marietta", "OH", "45750", 39.413446, -81.351051, "740"},
	{"Traverse City", "MI", "49684", 44.693963, -85.676342, "231"},
	{"Galena", "IL", "61036", 42.382277, -90.312588, "815"},
	{"Madison", "WI", "53701", 43.06956, -89.423861, "608"},
	{"Decorah", "IA", "52101", 43.294252, -91.789582, "563"},
	{"Lawrence", "KS", "66044", 38.907518, -95.283982, "785"},
	{"Eureka Springs", "AR", "72631", 36.435013, -93.767298, "479"},
	{"Deadwood", "SD", "57732", 44.36485, -103.735731, "605"},
	{"Fredericksburg", "TX", "78624", 30.313385, -98.8936, "830"},
	{"Marfa", "TX", "79843", 30.351902, -104.018475, "432"},
	{"Taos", "NM", "87571", 36.429239, -105.554532, "575"},
	{"Durango", "CO", "81301", 37.318364, -107.880367, "970"},
	{"Moab", "UT", "84532", 38.5804, -109.54019, "435"},
	{"Cody", "WY", "82414", 44.541637, -109.436585, "307"},
	{"Bozeman", "MT", "59715", 45.809998, -111.168212, "406"},
	{"Boise", "ID", "83701", 43.603768, -116.272921, "208"},
	{"Hood River", "OR", "97031", 45.638312, -121.677126, "541"},
	{"Port Townsend", "WA", "98368", 48.018572, -122.849683, "360"},
	{"Mendocino", "CA", "95460", 39.319949, -123.734377, "707"},
	{"Sitka", "AK", "99835", 57.080818, -135.318348, "907"},
	{"Hilo", "HI", "96720", 19.564519, -155.26203, "808"},
}

var streets = []string{
	"Water Street", "Mill Lane", "Main Street", "Church Street", "Front Street", "Elm Street", "Canal Street",
	"Depot Square", "Orchard Road", "Market Street", "College Avenue", "Bridge Street", "Ferry Road", "Union Street",
}
