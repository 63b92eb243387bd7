package app_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// TestForeignOrders puts orders into billing_queue with the broker's own tools
// and a client that is not ours, into queues that somebody else declared, before
// billing starts and while it runs. Each becomes one row of orders.
func TestForeignOrders(t *testing.T) {
	at, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	if _, ok := testenv.Require(t, "psql"); !ok {
		return
	}
	client, ok := testenv.Require(t, "amqp-publish")
	if !ok {
		return
	}
	admin, ok := testenv.Require(t, "rabbitmqadmin")
	if !ok {
		return
	}
	broker, ok := testenv.StartRabbitMQ(t, "rabbitmq_management")
	if !ok {
		return
	}
	for name, arguments := range map[string]string{
		"nobody's":       "", // ours is the first message, and the queue comes with it
		"a plain queue":  `{}`,
		"a quorum queue": `{"x-queue-type": "quorum"}`,
		"a queue of many arguments": `{"x-max-priority": 5, "x-queue-mode": "lazy", "x-message-ttl": 3600000,
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "elsewhere"}`,
	} {
		t.Run(name, func(t *testing.T) {
			host := strings.NewReplacer(" ", "-", "'", "").Replace(name)
			broker.Control("add_vhost", host)
			broker.Control("set_permissions", "-p", host, "guest", ".*", ".*", ".*")
			p := producer{t: t, broker: broker, host: host, client: client, admin: admin}
			flags, names := onServer(t, at)
			flags = append(flags, "--queue-url="+p.url())
			if arguments != "" {
				p.manage("declare", "queue", "name=billing_queue", "durable=true", "arguments="+arguments)
				p.produce("before")
			}
			shop := programtest.Start(t, append(flags, "gateway", "billing")...)
			if status, answer := post(t, shop.URL+"/api/billing", `{"user_id":"ours","number_of_items":"1","total_amount":"1"}`); status != 200 {
				t.Fatalf("%d %s", status, answer)
			}
			if arguments == "" {
				until(t, "the first order", func() bool { return len(p.orders(at, names["billing"])) == 1 })
			}
			if arguments == "" || arguments == "{}" {
				p.produce("after")
			}
			p.want = append(p.want, "ours|1|1.00")
			slices.Sort(p.want)
			until(t, "all orders are there", func() bool { return len(p.orders(at, names["billing"])) >= len(p.want) })
			until(t, "all dead letters are there", func() bool {
				_, out, _ := command(t, "", append([]string{"queue", "list", "billing_queue.dead"}, queueFlags(flags)...)...)
				return strings.Count(out, "no order at all") == p.dead
			})
			if got := p.orders(at, names["billing"]); !slices.Equal(got, p.want) {
				t.Errorf("orders holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(p.want, "\n"))
			}
			status, body, err := shop.Get(t.Context(), "/api/billing/orders")
			if err != nil || status != 200 || strings.Count(body, `"id"`) != len(p.want) {
				t.Errorf("the API shows %d %s, %v", status, body, err)
			}
		})
	}
}

// queueFlags are those of a program's flags that say where the queue is.
func queueFlags(flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool {
		return !strings.HasPrefix(f, "--queue-url=") && !strings.HasPrefix(f, "--data=")
	})
}

// producer is other people's programs, and what has to come of their messages.
type producer struct {
	t             *testing.T
	broker        *testenv.RabbitMQServer
	host          string // the virtual host
	client, admin string // programs
	want          []string
	dead          int
}

func (p *producer) url() string { return p.broker.URL(p.broker.Address()) + p.host }

func (p *producer) run(program, input string, args ...string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// manage runs the tool that comes with the broker's management pages.
func (p *producer) manage(args ...string) {
	p.t.Helper()
	p.run(p.admin, "", append([]string{"-H", "127.0.0.1", "-P", strconv.Itoa(p.broker.ManagementPort()), "-V", p.host, "-u", "guest", "-p", "guest"}, args...)...)
}

// produce sends what each program can.
func (p *producer) produce(when string) {
	p.t.Helper()
	publish := func(body string, more ...string) {
		p.t.Helper()
		p.run(p.client, body, append([]string{"--url=" + p.url(), "--routing-key=billing_queue"}, more...)...)
	}
	publish(`{"user_id": "c ` + when + `", "number_of_items": "5", "total_amount": "180"}`)
	publish(`{"user_id": "c ` + when + `", "number_of_items": "5", "total_amount": "180"}`) // without an id it is another
	publish(fmt.Sprintf("{\"total_amount\": 0.5,\n\t\"more\": [1, {}], \"number_of_items\": 2, \"user_id\": \"\\u00e9 %s\"}\n", when), "--persistent", "--content-type=application/json")
	publish(`{"user_id": 3, "number_of_items": 1e1, "total_amount": "12.30"}`, "--persistent", "--content-type=text/plain")
	publish("no order at all, by the client " + when)
	p.manage("publish", "routing_key=billing_queue", `payload={"user_id": "admin `+when+`", "number_of_items": 1, "total_amount": 250}`)
	for range 2 { // one order, since they have one id
		p.manage("publish", "routing_key=billing_queue", `payload={"user_id": "admin with an id `+when+`", "number_of_items": 1, "total_amount": 250}`,
			`properties={"message_id": "till 7, `+when+`", "delivery_mode": 2, "headers": {"x": [1, "two"]}}`)
	}
	p.manage("publish", "routing_key=billing_queue", `payload={"user_id": "", "number_of_items": 0, "note": "no order at all"}`)
	p.broker.Control("eval", fmt.Sprintf(`rabbit_basic:publish(rabbit_misc:r(<<"%s">>, exchange, <<"">>), <<"billing_queue">>, [{delivery_mode, 2}],
		<<"{\"user_id\": \"ctl %s\", \"number_of_items\": \"7\", \"total_amount\": \"99.99\"}">>).`, p.host, when))
	p.want = append(p.want,
		"c "+when+"|5|180.00", "c "+when+"|5|180.00", "é "+when+"|2|0.50", "3|10|12.30",
		"admin "+when+"|1|250.00", "admin with an id "+when+"|1|250.00", "ctl "+when+"|7|99.99")
	p.dead += 2
}

// orders reads the table as one does with psql.
func (p *producer) orders(at, name string) []string {
	p.t.Helper()
	rows := strings.FieldsFunc(psql(p.t, at, name, `SELECT user_id, number_of_items, total_amount FROM orders`), func(r rune) bool { return r == '\n' })
	slices.Sort(rows)
	return rows
}
